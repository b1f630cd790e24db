import { isObject, textAt, valueAt } from '#gateways/stripe'
import { type Books, type Sums, sumOf } from './books.ts'
import { compare, type Section } from './findings.ts'
import type { Settled } from './payouts.ts'
import * as sql from './sql.ts'
import { ACQUIRER, CURRENCIES, getJson, type Stage } from './stage.ts'

const kinds = [
  ['captured', 'capture', 'captured'],
  ['refunded', 'refund', 'refunded'],
  ['taken by disputes', 'dispute', 'disputed'],
  ['given back by disputes', 'dispute_reinstated', 'reinstated'],
  ['lost to disputes', 'dispute_lost', 'lost'],
  ['kept as fees', 'fee', 'fees'],
  ['paid out', 'payout', 'paidOut'],
] as const satisfies readonly (readonly [string, string, keyof Books])[]

/** The ledger, beside the books of all gateways. */
export async function moneySection(stage: Stage, all: readonly Books[]): Promise<Section> {
  const rows = await sql.moved(stage.database, stage.tenant)
  const difference = await differences(stage)
  return {
    title: 'Ledger, in minor units',
    findings: CURRENCIES.flatMap((currency) => [
      ...kinds.map(([what, purpose, kind]) => {
        const row = rows.find((candidate) => candidate.purpose === purpose && candidate.currency === currency)
        return compare(`${currency} ${what}`, row?.amount ?? 0n, sumOf(all, kind, currency))
      }),
      compare(`${currency} debits less credits, trial balance`, difference.get(currency) ?? 0n, 0n),
      compare(
        `${currency} still with the gateways`,
        difference.get(`${currency} receivable`) ?? 0n,
        owed(all, currency),
      ),
    ]),
  }
}

/** What the acquirer owes us by the ledger, beside its settlement files. */
export async function settlementSection({ database, tenant }: Stage, settled: Settled): Promise<Section> {
  const rows = await sql.acquired(database, tenant, ACQUIRER)
  const { payouts, lines, wrong } = settled
  const of = (sums: Sums, currency: string): bigint => sums.get(currency) ?? 0n
  return {
    title: `${payouts} payouts, by their settlement files (${lines} lines)`,
    findings: [
      ...CURRENCIES.flatMap((currency) => {
        const row = rows.find((candidate) => candidate.currency === currency)
        const [earned, paidOut] = [row?.earned ?? 0n, row?.paid_out ?? 0n]
        return [
          compare(`${currency} earned, after fees`, earned, of(settled.net, currency) + of(settled.balance, currency)),
          compare(`${currency} paid out`, paidOut, of(settled.paidOut, currency)),
          compare(`${currency} left`, earned - paidOut, of(settled.balance, currency)),
        ]
      }),
      compare('files that do not add up to their payout', wrong, 0),
    ],
  }
}

/** What gateways owe after all that they took, kept, gave back and paid. */
function owed(all: readonly Books[], currency: string): bigint {
  const sum = (kind: keyof Books): bigint => sumOf(all, kind, currency)
  return sum('captured') - sum('fees') - sum('refunded') - sum('disputed') + sum('reinstated') - sum('paidOut')
}

/** From `GET /v1/trial-balance`: debits less credits of each currency, and what its receivables come to. */
async function differences(stage: Stage): Promise<Map<string, bigint>> {
  const answer = await getJson(stage, '/v1/trial-balance')
  const accounts = isObject(answer) ? valueAt(answer, 'accounts') : []
  const sums = new Map<string, bigint>()
  for (const line of Array.isArray(accounts) ? accounts.filter(isObject) : []) {
    const [currency = '', debit = '0', credit = '0'] = ['currency', 'debit', 'credit'].map((name) => textAt(line, name))
    const amount = BigInt(debit) - BigInt(credit)
    sums.set(currency, (sums.get(currency) ?? 0n) + amount)
    if (!/^gateway:(?:acquirer|shop):receivable$/.test(textAt(line, 'account') ?? '')) continue
    sums.set(`${currency} receivable`, (sums.get(`${currency} receivable`) ?? 0n) + amount)
  }
  return sums
}
