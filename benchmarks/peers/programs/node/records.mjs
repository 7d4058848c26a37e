// oidc-provider's records in Redis: each is JSON; what can be spent is a hash, so that spending writes one field. A grant
// has a set of the keys that came from it. Everything goes by itself when its time is over.
import { Redis } from 'ioredis';

const SPENDABLE = new Set(['AuthorizationCode', 'RefreshToken']);
const OF_A_GRANT = new Set(['AuthorizationCode', 'RefreshToken', 'AccessToken']);
const LONGEST_LIFE = 86400;

export function recordsIn(url) {
  // One connection a process; what is asked in the same turn of the event loop goes in one write.
  const redis = new Redis(url, { enableAutoPipelining: true });

  return class Records {
    #kind;

    constructor(kind) {
      this.#kind = kind;
    }

    #key(id) {
      return `peer:${this.#kind}:${id}`;
    }

    async upsert(id, payload, seconds = LONGEST_LIFE) {
      const key = this.#key(id);
      const json = JSON.stringify(payload);
      const writes = SPENDABLE.has(this.#kind)
        ? [['hset', key, 'json', json], ['expire', key, seconds]]
        : [['set', key, json, 'EX', seconds]];
      if (this.#kind === 'Session') writes.push(['set', `peer:uid:${payload.uid}`, id, 'EX', seconds]);
      if (OF_A_GRANT.has(this.#kind) && payload.grantId) {
        const members = `peer:of:${payload.grantId}`;
        writes.push(['sadd', members, key], ['expire', members, LONGEST_LIFE]);
      }
      if (writes.length === 1) await redis.set(...writes[0].slice(1));
      else for (const [error] of await redis.multi(writes).exec()) if (error) throw error;
    }

    async find(id) {
      if (!SPENDABLE.has(this.#kind)) {
        const json = await redis.get(this.#key(id));
        return json ? JSON.parse(json) : undefined;
      }
      const [json, spent] = await redis.hmget(this.#key(id), 'json', 'spent');
      if (!json) return undefined;
      const payload = JSON.parse(json);
      if (spent) payload.consumed = Number(spent);
      return payload;
    }

    async findByUid(uid) {
      const id = await redis.get(`peer:uid:${uid}`);
      return id ? this.find(id) : undefined;
    }

    async findByUserCode() {
      return undefined; // no device flow here
    }

    async consume(id) {
      await redis.hset(this.#key(id), 'spent', Math.floor(Date.now() / 1000));
    }

    async destroy(id) {
      await redis.del(this.#key(id));
    }

    async revokeByGrantId(grantId) {
      const members = `peer:of:${grantId}`;
      await redis.del(members, ...(await redis.smembers(members)));
    }
  };
}
