import { hash } from 'node:crypto'
import type { Database, Tx } from '#kernel/database'
import {
  type Decision,
  decider,
  type EventOf,
  type EventType,
  follow,
  type Module,
  partitionOf,
  projection,
} from '#log'
import type * as paymentEvents from '#payments/events'
import { accountKind } from './accounts.ts'
import { bookScheduled } from './book-scheduled.ts'
import { moveGuards } from './book-sql.ts'
import { type Entry, entryFor, type Purpose } from './entry.ts'
import {
  accountChanged,
  accountOpened,
  entryPosted,
  entryScheduled,
  holdDue,
  holdEnded,
  holdPlaced,
  periodClosed,
  periodReopened,
  positionRevalued,
  scheduleDue,
  scheduleEnded,
} from './events.ts'
import { expireHolds } from './expire-holds.ts'
import * as sql from './sql.ts'
import { type AsOf, balancesAt } from './statement-sql.ts'
import { statements } from './statements.ts'

export { ledgerApi } from './api.ts'
export { createLedgerCommands } from './commands.ts'
export { writeJournal } from './journal.ts'
export { proveEntry } from './proof.ts'
export { createRevaluation } from './revaluation-booking.ts'
export { readStatement } from './statement-csv.ts'
export { unpostedMoney } from './unposted-sql.ts'
export { verifyLedger } from './verify.ts'
export { verifyExport } from './verify-export.ts'

/** Facts of others that move money: handed over, because modules share types only. */
export type LedgerReads = Pick<
  typeof paymentEvents,
  | 'paymentCaptured'
  | 'paymentFeeCharged'
  | 'paymentRefunded'
  | 'paymentDisputed'
  | 'paymentDisputeReinstated'
  | 'paymentDisputeLost'
  | 'payoutPaid'
>

export function createLedger(reads: LedgerReads): Module {
  return {
    name: 'ledger',
    summary: 'Who has how much: double entry, whole and final, and balances that are the sums of their postings.',
    events: [
      entryPosted,
      entryScheduled,
      scheduleEnded,
      scheduleDue,
      holdPlaced,
      holdEnded,
      holdDue,
      accountOpened,
      accountChanged,
      periodClosed,
      periodReopened,
      positionRevalued,
    ],
    deciders: [postPayments(reads), expireHolds, bookScheduled],
    projections: [balances, statements],
    facets: [
      { about: 'payment', name: 'postings', show: sql.postingsOf },
      {
        about: 'account',
        name: 'balances',
        show: (database, { tenant, mode, id }) => accountBalances(database, { tenant, mode, account: id }),
      },
    ],
    migrations: new URL('./migrations/', import.meta.url),
  }
}

type MovementFact = EventOf<LedgerReads[keyof LedgerReads]>

/** Books every movement of money as an entry; the movement and its revision name it, so it is booked once. */
function postPayments(reads: LedgerReads) {
  const purposeOf = new Map<EventType, Purpose>([
    [reads.paymentCaptured, 'capture'],
    [reads.paymentFeeCharged, 'fee'],
    [reads.paymentRefunded, 'refund'],
    [reads.paymentDisputed, 'dispute'],
    [reads.paymentDisputeReinstated, 'dispute_reinstated'],
    [reads.paymentDisputeLost, 'dispute_lost'],
    [reads.payoutPaid, 'payout'],
  ])
  const purposes = new Map([...purposeOf].map(([of, purpose]) => [of.type, purpose]))
  return decider({
    name: 'post-payments',
    reads: Object.values(reads),
    publishes: [entryPosted],
    handle: (facts, { tx }) => post(tx, facts, purposes),
  })
}

async function post(tx: Tx, facts: readonly MovementFact[], purposes: ReadonlyMap<string, Purpose>): Promise<Decision> {
  const booked = facts.flatMap((fact) => {
    const kind = purposes.get(fact.type)
    if (kind === undefined) return []
    const merchant = 'merchant' in fact.data ? fact.data.merchant : 'none'
    const { movement: key, account, delta, currency, revision, effectiveAt } = fact.data
    const splits = 'splits' in fact.data ? { splits: fact.data.splits ?? [] } : {}
    const change = { key, kind, account, delta, currency, revision, ...splits }
    const entry = entryFor(change, { merchant, effectiveAt })
    return [{ fact, entry, row: rowOf(entry, fact) }]
  })
  const fresh = await sql.insertEntries(
    tx,
    booked.map(({ row }) => row),
  )
  const written = booked.filter(({ row }) => fresh.delete(row.id))
  await moveGuards(
    tx,
    written.flatMap(({ entry, row: { tenant, mode } }) =>
      entry.postings.map((posting) => ({ tenant, mode, ...posting })),
    ),
  )
  return {
    facts: written.map(({ fact, entry, row }) => follow(fact, entryPosted, postedData(row.id, entry))),
  }
}

function rowOf({ source, purpose, postings, effectiveAt }: Entry, fact: MovementFact): sql.EntryRow {
  const { tenant, mode } = fact
  return {
    tenant,
    mode,
    source: `${fact.key}/${source}`,
    id: `ent_${hash('sha256', `${tenant}\n${mode}\n${fact.key}\n${source}`, 'hex').slice(0, 32)}`,
    purpose,
    accounts: postings.map(({ account }) => account),
    amounts: postings.map(({ amount }) => amount.toString()),
    currencies: postings.map(({ currency }) => currency),
    effective_ms: effectiveAt,
    event_id: fact.id,
    traceparent: fact.traceparent,
  }
}

function postedData(entry: string, { source, purpose, effectiveAt, postings }: Entry) {
  const written = postings.map(({ account, amount, currency }) => ({ account, amount: amount.toString(), currency }))
  return { entry, source, purpose, effectiveAt, postings: written }
}

/** Balances of every account, striped by the partition of the entry's key. */
const balances = projection({
  name: 'balances',
  reads: [entryPosted],
  tables: ['ledger.balance'],
  fold: async (entries, tx) => {
    const changes = balanceChanges(entries)
    if (changes.length > 0) await sql.addToBalances(tx, changes)
  },
})

function balanceChanges(entries: readonly EventOf<typeof entryPosted>[]): sql.BalanceChange[] {
  const sums = new Map<
    string,
    { debit: bigint; credit: bigint; entries: number; at: Omit<sql.BalanceChange, 'debit' | 'credit' | 'entries'> }
  >()
  for (const { tenant, mode, key, data } of entries) {
    const stripe = partitionOf(key)
    for (const { account, currency, amount } of data.postings) {
      const name = `${tenant}\n${mode}\n${account}\n${currency}\n${stripe}`
      let sum = sums.get(name)
      if (!sum) {
        sum = { debit: 0n, credit: 0n, entries: 0, at: { tenant, mode, account, currency, stripe } }
        sums.set(name, sum)
      }
      const minor = BigInt(amount)
      if (minor > 0n) sum.debit += minor
      else sum.credit -= minor
      sum.entries++
    }
  }
  return [...sums.values()].map(({ debit, credit, entries: count, at }) => ({
    ...at,
    debit: debit.toString(),
    credit: credit.toString(),
    entries: count,
  }))
}

export type AccountView = {
  readonly account: string
  readonly type: string
  readonly currency: string
  readonly debit: bigint
  readonly credit: bigint
  /** On the account's normal side. */
  readonly balance: bigint
  readonly entries: bigint
}

/**
 * Every account of the tenant with what was debited and credited; the sums of both are equal in each currency. Now, or as
 * it was at an instant; and when the last of it was booked, or later, in Unix milliseconds: of now it is not known.
 */
export async function trialBalance(
  database: Database,
  about: { tenant: string; mode: string },
  asOf: AsOf = { effectiveAt: undefined, bookedAt: undefined },
): Promise<(AccountView & { readonly lastBookedAt: number })[]> {
  const isNow = asOf.effectiveAt === undefined && asOf.bookedAt === undefined
  if (isNow) {
    const rows = await sql.trialBalance(database, about.tenant, about.mode)
    return rows.map((row) => ({ ...accountView(row), lastBookedAt: Number.POSITIVE_INFINITY }))
  }
  const rows = await balancesAt(database, { ...about, account: undefined }, asOf)
  return rows.map((row) => ({ ...accountView(row), lastBookedAt: row.last_booked_at.getTime() }))
}

/** A page of accounts by name, and every currency that each has held. */
export async function listAccounts(
  database: Database,
  about: { tenant: string; mode: string; after: string; currency: string | undefined; limit: number },
): Promise<AccountView[]> {
  return (await sql.accountPage(database, about)).map(accountView)
}

/** One line for each currency the account has held; none when nothing was ever booked on it. */
export async function accountBalances(
  database: Database,
  about: { tenant: string; mode: string; account: string },
): Promise<AccountView[]> {
  return (await sql.accountBalances(database, about.tenant, about.mode, about.account)).map(accountView)
}

function accountView({ account, currency, debit, credit, entries, type, normal_side }: sql.BalanceRow): AccountView {
  const kind = accountKind(account)
  const balance = (normal_side ?? kind?.normalSide) === 'credit' ? credit - debit : debit - credit
  return { account, type: type ?? kind?.type ?? 'unknown', currency, debit, credit, balance, entries }
}
