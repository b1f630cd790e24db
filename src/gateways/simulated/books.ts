import { hash } from 'node:crypto'
import { fromStripeUnits, toStripeUnits } from '#gateways/stripe'
import type { Clock } from '#kernel/clock'
import type { Random } from '#kernel/random'
import type { BalanceTransaction, ProducedEvent } from './objects.ts'

/** What every object needs: a name, an instant, a balance transaction, an event that tells of it. */
export type Books = {
  /**
   * Does the work with names that depend on the seed and `origin` alone, whatever else went before. An origin
   * is used once. Without one, names come from the stream of chance.
   */
  under<Result>(origin: string | undefined, work: () => Result): Result
  about(prefix: string, amount: number, currency: string): ObjectHead
  event(type: string, object: object): ProducedEvent
  transaction(posting: Posting): BalanceTransaction
  feeOf(amount: number, currency: string): number
  disputeFeeOf(currency: string): number
  /** Unix seconds. */
  now(): number
}

/** Money that moves in our balance with the gateway; `fee` comes off it too. */
export type Posting = Pick<BalanceTransaction, 'type' | 'source' | 'amount' | 'fee' | 'currency'>

type ObjectHead = { id: string; amount: number; currency: string; created: number; livemode: false }

const disputeFeeMinor = 1500

export function openBooks(options: { clock: Clock; random: Random; feeBasisPoints: number }): Books {
  const { clock, random, feeBasisPoints } = options
  let seed: string | undefined
  let names: { origin: string; count: number } | undefined

  const name = (): Buffer => {
    if (names === undefined) return random.bytes(20)
    seed ??= random.bytes(16).toString('hex')
    names.count += 1
    return hash('sha1', `${seed} ${names.count} ${names.origin}`, 'buffer')
  }
  const newId = (prefix: string): string => nameOf(prefix, name())
  const now = (): number => Math.floor(clock.now() / 1000)

  return {
    under(origin, work) {
      const around = names
      names = origin === undefined ? undefined : { origin, count: 0 }
      try {
        return work()
      } finally {
        names = around
      }
    },
    about: (prefix, amount, currency) => ({ id: newId(prefix), amount, currency, created: now(), livemode: false }),
    event(type, object) {
      const id = newId('evt')
      const event = { id, object: 'event', api_version: '2025-09-30', created: now(), livemode: false, type }
      return { id, type, body: JSON.stringify({ ...event, data: { object } }) }
    },
    transaction({ type, source, amount, fee, currency }) {
      const about = {
        id: newId('txn'),
        object: 'balance_transaction',
        amount,
        currency,
        fee,
        net: amount - fee,
      } as const
      return { ...about, type, source, created: now(), available_on: now() }
    },
    feeOf: (amount, currency) => feeOf(amount, currency, feeBasisPoints),
    disputeFeeOf: (currency) => toStripeUnits(disputeFeeMinor, currency.toUpperCase()) ?? 0,
    now,
  }
}

/** In whole minor units, half up; counted in bigint because an amount times its basis points may not be exact. */
function feeOf(amount: number, currency: string, basisPoints: number): number {
  const code = currency.toUpperCase()
  const minor = fromStripeUnits(amount, code) ?? 0
  const fee = Number((BigInt(minor) * BigInt(basisPoints) + 5000n) / 10_000n)
  return toStripeUnits(fee, code) ?? 0
}

/**
 * Letters only: digits could by chance make a card number, which no log takes. Made of bytes, not of pieces of text:
 * those stay pieces in memory, ten times the size, for as long as the object is kept.
 */
function nameOf(prefix: string, chance: Buffer): string {
  const name = Buffer.allocUnsafe(prefix.length + 4 + chance.length)
  let at = name.write(`${prefix}_sim`, 'latin1')
  for (const byte of chance) at = name.writeUInt8(letterA + (byte % 26), at)
  return name.toString('latin1')
}

const letterA = 97
