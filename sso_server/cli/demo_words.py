"""What `sso demo` prints, in two languages."""

from __future__ import annotations

STARTING = {"en": "Starting the centre and three sites ...", "zh": "正在启动认证中心和三个站点……"}
SITES = {"en": ("Site one", "Site two", "Site three"), "zh": ("站点一", "站点二", "站点三")}
TAKEN = {
    "en": "Port {port} is taken ({role} needs it). Stop what listens there, or choose others: sso demo --port 9100",
    "zh": "端口 {port} 已被占用（{role} 需要它）。请停止占用它的程序，或换用其他端口：sso demo --port 9100",
}
NO_REDIS = {
    "en": "Redis can't be used at {address} ({cause}). Nothing was started.",
    "zh": "无法使用 {address} 上的 Redis（{cause}）。没有启动任何程序。",
}
BUSY = {
    "en": "A demo is running on {data} already. Stop it, or give this one another place: sso demo --data DIRECTORY",
    "zh": "{data} 上已有一个演示在运行。请先停止它，或换用其他目录：sso demo --data 目录",
}
STOPPED = {"en": "Stopped. The data stays in {data}.", "zh": "已停止。数据保留在 {data}。"}
BROKEN = {
    "en": "A part of the demo keeps stopping at once; its own words are in {data}/*.log.",
    "zh": "演示的某个部分反复退出，原因见 {data}/*.log。",
}
STEPS = {
    "en": """
Lockstep is running: the centre and three sites. One and two speak OpenID Connect, site three speaks CAS.

  User      alice  {alice}
            bob    {bob}
            (made anew at every start)

  1. Open   {one}/account   and sign in as alice.
  2. Open   {two}/account   : no question is asked.
  3. Open   {three}/account   : nor here. It is the same session, in another protocol.
  4. Look   {issuer}/demo/map   : the session, its sites, their addresses.
  5. Sign out at site three.
  6. Look at sites one and two: they are signed out as well.
  7. Sign in at all again. On the map, cut site two off; sign out at site one and watch: site two can't be told, and
     when its lease runs out it refuses everybody. Connect it again: it hears within seconds.
  8. On the map, have the centre killed after the next sign-out, then sign out: the sites hear all the same.
  9. Sign in at site one and ask site two's clock: its API is called with a token of 15 seconds. Ask on, and see it
     renewed. Sign out, and ask once more with the token of before: 401 within seconds.

  Ctrl-C stops everything. Data and logs: {data}
""",
    "zh": """
Lockstep 已启动：认证中心和三个站点。站点一、站点二采用 OpenID Connect，站点三采用 CAS。

  用户      alice  {alice}
            bob    {bob}
            （每次启动都会换新密码）

  1. 打开   {one}/account   ，以 alice 登录。
  2. 打开   {two}/account   ：不会再询问。
  3. 打开   {three}/account   ：同样不再询问。协议不同，会话是同一个。
  4. 查看   {issuer}/demo/map   ：会话、站点及其地址。
  5. 在站点三退出。
  6. 再看站点一和站点二：它们也退出了。
  7. 重新登录三个站点。在会话图上切断站点二，再在站点一退出并观察：认证中心无法通知站点二，
     租约到期后它拒绝所有人。恢复连接后，它会在数秒内得知。
  8. 在会话图上选择“下次终止”，然后退出：认证中心被强行终止，站点仍会得知。
  9. 登录站点一，查询站点二的时钟：调用站点二的接口时使用有效期 15 秒的令牌。继续查询，可见令牌自动续期。
     退出后，用先前的令牌再查询一次：数秒之内返回 401。

  按 Ctrl-C 全部停止。数据和日志：{data}
""",
}
