import { randomBytes } from 'node:crypto'

/** Where chance comes from: keys, nonces, jitter. A simulation hands in a seeded one. */
export type Random = {
  bytes(count: number): Buffer
  /** Uniform in [0, 1). */
  unit(): number
}

/** Taken from the system at once: a call for each nonce costs 3 µs, whatever its length. */
const POOL_BYTES = 8192
let pool = Buffer.alloc(0)

export const systemRandom: Random = {
  bytes(count) {
    if (count > POOL_BYTES / 8) return randomBytes(count)
    if (pool.length < count) pool = randomBytes(POOL_BYTES)
    const taken = pool.subarray(0, count)
    pool = pool.subarray(count)
    return taken
  },
  unit: () => Math.random(),
}

/** A repeatable Random from a seed (splitmix64). Not for secrets: for simulations, demos and tests. */
export function seededRandom(seed: number | bigint): Random {
  let state = BigInt.asUintN(64, BigInt(seed))
  const next = (): bigint => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n)
    let z = state
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n)
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn)
    return z ^ (z >> 31n)
  }
  return {
    unit: () => Number(next() >> 11n) / 2 ** 53,
    bytes: (count) => {
      const bytes = Buffer.alloc(Math.ceil(count / 8) * 8)
      for (let at = 0; at < count; at += 8) bytes.writeBigUInt64LE(next(), at)
      return bytes.subarray(0, count)
    },
  }
}
