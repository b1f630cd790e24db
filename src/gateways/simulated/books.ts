import { fromStripeUnits, toStripeUnits } from '#gateways/stripe'
import type { Clock } from '#kernel/clock'
import type { Random } from '#kernel/random'
import type { BalanceTransaction, ProducedEvent } from './objects.ts'

/** What every object needs: a name, an instant, a place in the balance, an event that tells of it. */
export type Books = {
  about(prefix: string, amount: number, currency: string): ObjectHead
  event(type: string, object: object): ProducedEvent
  /** Moves money in our balance with the gateway; `fee` comes off it too. */
  move(amount: number, fee: number, currency: string): BalanceTransaction
  balance(currency: string): number
  feeOf(amount: number, currency: string): number
  disputeFeeOf(currency: string): number
}

type ObjectHead = { id: string; amount: number; currency: string; created: number; livemode: false }

const disputeFeeMinor = 1500

export function openBooks(options: { clock: Clock; random: Random; feeBasisPoints: number }): Books {
  const balances = new Map<string, number>()
  const newId = (prefix: string): string => `${prefix}_sim${letters(options.random.bytes(20))}`
  const now = (): number => Math.floor(options.clock.now() / 1000)

  return {
    about: (prefix, amount, currency) => ({ id: newId(prefix), amount, currency, created: now(), livemode: false }),
    event(type, object) {
      const id = newId('evt')
      const event = { id, object: 'event', api_version: '2025-09-30', created: now(), livemode: false, type }
      return { id, type, body: JSON.stringify({ ...event, data: { object } }) }
    },
    move(amount, fee, currency) {
      const net = amount - fee
      balances.set(currency, (balances.get(currency) ?? 0) + net)
      return { id: newId('txn'), object: 'balance_transaction', amount, currency, fee, net }
    },
    balance: (currency) => balances.get(currency) ?? 0,
    feeOf: (amount, currency) => feeOf(amount, currency, options.feeBasisPoints),
    disputeFeeOf: (currency) => toStripeUnits(disputeFeeMinor, currency.toUpperCase()) ?? 0,
  }
}

/** In whole minor units, half up; counted in bigint because an amount times its basis points may not be exact. */
function feeOf(amount: number, currency: string, basisPoints: number): number {
  const code = currency.toUpperCase()
  const minor = fromStripeUnits(amount, code) ?? 0
  const fee = Number((BigInt(minor) * BigInt(basisPoints) + 5000n) / 10_000n)
  return toStripeUnits(fee, code) ?? 0
}

/** Letters only: digits could by chance make a card number, which no log takes. */
function letters(bytes: Buffer): string {
  return String.fromCharCode(...bytes.map((byte) => 97 + (byte % 26)))
}
