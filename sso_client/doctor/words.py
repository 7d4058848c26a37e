"""What the doctor says was seen, and what its checks are called, in English and Chinese."""

CHECKS: dict[str, str] = {
    "settings": "设置",
    "store": "存储",
    "redis memory": "Redis 内存",
    "redis disk": "Redis 持久化",
    "discovery": "发现文档",
    "keys": "密钥",
    "protocol": "协议",
    "validation": "票据验证",
    "sign-outs": "退出通知",
    "client": "客户端",
    "clock": "时钟",
    "redirect URI": "回调地址登记",
    "site": "站点",
    "address": "返回地址",
    "cookie": "Cookie",
    "cookie size": "Cookie 大小",
    "who is it": "登录状态查询",
    "logout address": "退出地址",
    "one store": "共享存储",
    "same store": "存储一致",
    "call back": "认证中心回呼",
}

LEVELS: dict[str, str] = {"ok": "正常", "warning": "警告", "problem": "问题", "unknown": "未知"}

SEEN: dict[str, tuple[str, str]] = {
    "settings": ("client {client_id} at {issuer}", "客户端 {client_id}，认证中心 {issuer}"),
    "setting": ("{said}", "{said}"),
    "failed": ("{detail}", "{detail}"),
    "no_answer": ("{url}: no whole answer ({error})", "{url}：没有得到完整应答（{error}）"),
    "status": ("{url} answers {status}", "{url} 返回 {status}"),
    "store_default": (
        "SSO_STORE is not set: it lies where the framework says (Flask: instance folder, else sso-data); none is here",
        "未设置 SSO_STORE：位于框架指定的位置（Flask 为 instance 目录，其他为 sso-data），此处未找到",
    ),
    "store_absent": ("{path} is not there yet; the site can make it", "{path} 尚不存在；站点可以创建它"),
    "folder_not_writable": ("{path} can't be written", "无法写入 {path}"),
    "store_file": (
        "{path} ({store}): for all workers of this host; several hosts need SSO_STORE=redis://",
        "{path}（{store}）：供本机所有工作进程共用；多台主机请用 SSO_STORE=redis://",
    ),
    "store_redis": (
        "in Redis ({store}): for all workers of all hosts",
        "位于 Redis（{store}）：供所有主机的所有工作进程共用",
    ),
    "redis_full": ("drops nothing when its memory is full (noeviction)", "内存用尽时不会删除键（noeviction）"),
    "redis_evicts": ("{said}", "maxmemory-policy 不是 noeviction：内存不足时可能忘记谁已退出"),
    "redis_aof": ("kept on disk (append-only file)", "已持久化到磁盘（AOF）"),
    "redis_forgets": ("{said}", "appendonly 未启用：重启后会忘记认证中心尚未确认的退出"),
    "discovery_https": ("{issuer}, over https", "{issuer}，通过 https"),
    "discovery_loopback": ("{issuer}, on loopback", "{issuer}，本机回环地址"),
    "keys": ("{count} published", "已公布 {count} 个"),
    "speaks_cas": ("CAS at {url}", "CAS，位于 {url}"),
    "validates": (
        "{url} answers as a CAS server does (a made-up ticket was refused, as it should be)",
        "{url} 的应答符合 CAS 服务器（虚构的票据如预期被拒绝）",
    ),
    "validates_cas_2": (
        "{url} answers as a CAS 2 server does: no attributes, so no names, addresses and groups",
        "{url} 的应答符合 CAS 2 服务器：没有属性，因此没有姓名、邮箱和组",
    ),
    "validates_anything": ("{url} takes a made-up ticket", "{url} 接受了虚构的票据"),
    "refuses_otherwise": ("{url} refused a made-up ticket with {said}", "{url} 以 {said} 拒绝了虚构的票据"),
    "service_unknown": ("{uri} is no service there", "{uri} 在那里没有登记为服务"),
    "told_by_requests": (
        "told by logout requests at the callback only, no check-in: while they don't arrive, no bound is known",
        "只通过发到回调地址的退出请求得知，没有报到：请求未送达期间，没有已知的时限",
    ),
    "leases": (
        "check-in: an ended session is served no longer than the lease, reachable or not",
        "报到：会话结束后，无论能否连通，最多再服务一个租期",
    ),
    "told_only": (
        "told by logout calls only, no check-in: while the calls don't arrive, no bound is known",
        "只通过退出请求得知，没有报到：请求未送达期间，没有已知的时限",
    ),
    "not_told": (
        "no check-in and no back-channel logout in its discovery document",
        "其发现文档中既无报到，也无后端退出",
    ),
    "client_accepted": ("id and secret accepted", "标识与密钥已被接受"),
    "client_accepted_by_token": (
        "id and secret accepted (a made-up ticket was refused, as it should be)",
        "标识与密钥已被接受（虚构的登录票据如预期被拒绝）",
    ),
    "client_unasked": ("can't be told: the token endpoint answers {status}", "无法判断：令牌端点返回 {status}"),
    "client_first": ("not asked: the client has to be accepted first", "未询问：须先让客户端被接受"),
    "clock_near": ("within 30 s of the centre's ({seconds} s)", "与认证中心相差不到 30 秒（{seconds} 秒）"),
    "clock_ahead": ("the centre's is {seconds} s ahead of this host's", "认证中心的时钟比本机快 {seconds} 秒"),
    "clock_behind": ("the centre's is {seconds} s behind this host's", "认证中心的时钟比本机慢 {seconds} 秒"),
    "clock_unasked": ("its answers carry no date", "其应答没有日期"),
    "redirect_uri_unasked": (
        "{uri}: this provider can't be asked whether it is registered",
        "{uri}：无法向该服务询问是否已登记",
    ),
    "redirect_uri_registered": ("{uri} is registered", "{uri} 已登记"),
    "redirect_uri_unknown": ("{uri} is not registered; these are: {known}", "{uri} 未登记；已登记的是：{known}"),
    "site_unasked": (
        "not looked at: give its address with --url or SSO_BASE_URL",
        "未检查：请用 --url 或 SSO_BASE_URL 给出其地址",
    ),
    "redirects": ("{url} sends to {to}", "{url} 跳转到 {to}"),
    "thinks_http": ("{url} says that it was asked over plain http", "{url} 认为请求来自明文 http"),
    "other_client": ("it signs in as client {theirs}, not {ours}", "它以客户端 {theirs} 登录，而不是 {ours}"),
    "other_centre": ("it sends to {theirs}, not to the centre at {ours}", "它跳转到 {theirs}，而不是认证中心 {ours}"),
    "sends_to_centre": ("sends to {target}", "跳转到 {target}"),
    "comes_back": ("people come back to {uri}", "用户将返回 {uri}"),
    "comes_back_elsewhere": (
        "people would come back to {uri}, but the site is at {expected}",
        "用户将返回 {uri}，但站点位于 {expected}",
    ),
    "no_cookie": ("no {name} among the cookies of the sign-in", "登录时没有设置 Cookie {name}"),
    "cookie_good": ("{name}: Secure, HttpOnly, SameSite=Lax", "{name}：Secure、HttpOnly、SameSite=Lax"),
    "cookie_plain": (
        "{name}: HttpOnly, SameSite=Lax (plain http on loopback)",
        "{name}：HttpOnly、SameSite=Lax（本机明文 http）",
    ),
    "cookie_flags": ("{name}, wrong or missing: {flags}", "{name}，有误或缺少：{flags}"),
    "cookie_size": ("{size} of 4096 bytes", "{size} / 4096 字节"),
    "me": ("{url} answers, and nobody may keep the answer", "{url} 有应答，且不允许缓存"),
    "cache_control": ("{url} has Cache-Control: {value}", "{url} 的 Cache-Control 为 {value}"),
    "answers_itself": ("{url} answers, and names its store", "{url} 有应答，并指明其存储"),
    "one_store": ("{store}, {answers} times of {answers}", "{store}，{answers} 次应答均一致"),
    "several_stores": (
        "{count} stores in {answers} answers: {stores}",
        "{answers} 次应答中出现 {count} 个存储：{stores}",
    ),
    "stores_of_hosts": (
        "the centre's calls were answered by {theirs}, those from here by {ours}",
        "应答认证中心的是 {theirs}，应答本机的是 {ours}",
    ),
    "other_store": ("the site has {theirs}, these settings mean {ours}", "站点使用 {theirs}，而这些设置指向 {ours}"),
    "call_back_unasked": (
        "this provider can't be asked to call: sign out there once, and look for the call in the site's log",
        "无法请该服务回呼：请在那里退出一次，并在站点日志中查看退出请求",
    ),
    "busy": (
        "the centre was asked too often: again in {seconds} s",
        "对认证中心的请求过于频繁：请在 {seconds} 秒后重试",
    ),
    "polls": ("registered to ask for its sign-outs (poll): nobody calls", "登记为自行轮询退出：不会有回呼"),
    "no_logout_address": ("no logout address is registered", "没有登记退出地址"),
    "called_back": ("the centre reached {url} in {ms} ms ({store})", "认证中心在 {ms} 毫秒内到达 {url}（{store}）"),
    "not_reached": ("the centre can't reach {url}: {problem}", "认证中心无法到达 {url}：{problem}"),
}

PHRASES: dict[str, dict[str, str]] = {
    "en": {"cause": "Cause: ", "cure": "Cure: ", "advice": "The centre says: "},
    "zh": {"cause": "原因：", "cure": "处理：", "advice": "认证中心提示："},
}

VERDICTS: dict[str, dict[str, str]] = {
    "en": {
        "ok": "Nothing to mend.",
        "warning": "It works; look at the warnings.",
        "problem": "Something has to be mended, the first problem first: others may follow from it.",
    },
    "zh": {
        "ok": "一切正常。",
        "warning": "可以工作；请留意警告。",
        "problem": "有问题需要处理，请先处理第一个：其余的可能由它引起。",
    },
}
