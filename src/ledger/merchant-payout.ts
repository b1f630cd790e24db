import type { Database } from '#kernel/database'
import { Refusal } from '#kernel/errors'
import { fromMinorNumber } from '#kernel/money'
import type { Whose } from './book-sql.ts'
import type { LedgerRefusal, Outcome, PostEntry, ReverseEntry } from './command.ts'
import type { Desk } from './desk.ts'
import { payable } from './entries/account-names.ts'
import { entrySource } from './entry-source.ts'
import type { Asked } from './facts.ts'
import { findPayoutRow } from './payout-sql.ts'
import { refusalOf } from './refusal.ts'
import { checkedId, currencyOf, effectiveOf, fingerprintOf, movableAccount, type Reading, wrong } from './request.ts'
import type { PayoutBody } from './shapes.ts'

/** A merchant's money on its way to them: booked as it leaves, and back again when it did not arrive. */
export type Payout = {
  readonly id: string
  /** `failed`: its entry has been undone. */
  readonly status: 'booked' | 'failed'
  readonly entry: string
  readonly source: string
  /** Source of the entry that undid it. */
  readonly reversal: string | undefined
  /** What is owed to the merchant, and where it was paid from. */
  readonly account: string
  readonly from: string
  /** Minor units. */
  readonly amount: bigint
  readonly currency: string
  readonly effectiveAt: Date
  readonly bookedAt: Date
}

export type Payouts = {
  /** @throws Refusal as an entry, and `insufficient_funds` where less is owed than is asked for. */
  pay(whose: Whose, command: PostEntry, asked: Asked): Promise<{ payout: Payout; isRepeated: boolean }>
  /** Gives the money back, once. @throws Refusal `payout_not_found`, and as an entry that reverses another. */
  fail(whose: Whose, command: ReverseEntry, asked: Asked): Promise<{ payout: Payout; isRepeated: boolean }>
  find(whose: Whose, id: string): Promise<Payout | undefined>
}

export const PAYOUT_PURPOSE = 'merchant_payout'
/** More is owed to nobody. */
const ALL = fromMinorNumber(Number.MAX_SAFE_INTEGER)

/** Payouts are entries like others, under ids of their own. */
export function createPayouts({ desk, read }: { readonly desk: Desk; readonly read: Database }): Payouts {
  const find: Payouts['find'] = async (whose, id) => {
    const row = await findPayoutRow(read, whose, entrySource(commandId(id)))
    if (!row) return undefined
    const [account = '', from = ''] = row.accounts
    return {
      id,
      status: row.reversed_by === null ? 'booked' : 'failed',
      entry: row.id,
      source: row.source,
      reversal: row.reversed_by ?? undefined,
      account,
      from,
      amount: row.amounts[0] ?? 0n,
      currency: row.currencies[0] ?? '',
      effectiveAt: row.effective_at,
      bookedAt: row.booked_at,
    }
  }
  const found = async (whose: Whose, id: string, outcome: Outcome | undefined) => {
    if (outcome?.status !== 'done') throw refusalOf(outcome?.refusal ?? { code: 'entry_unknown', id })
    const payout = await find(whose, id)
    if (!payout) throw new Refusal('payout_not_found', { field: 'id' })
    return { payout, isRepeated: outcome.isRepeated }
  }
  const submit = async ({ tenant, mode }: Whose, command: PostEntry | ReverseEntry, { traceparent }: Asked) =>
    (await desk.submit({ tenant, mode, traceparent, commands: [command], isLinked: false }))[0]

  return {
    find,
    async pay(whose, command, asked) {
      const outcome = await submit(whose, command, asked)
      const { debit = '' } = command.transfers[0] ?? {}
      if (outcome?.status === 'refused' && isUnknown(outcome.refusal, debit)) throw notGuarded(debit)
      return found(whose, payoutId(command.id), outcome)
    },
    async fail(whose, command, asked) {
      const outcome = await submit(whose, command, asked)
      if (outcome?.status === 'refused' && outcome.refusal.code === 'entry_unknown') {
        throw new Refusal('payout_not_found', { field: 'id' })
      }
      return found(whose, payoutId(command.id), outcome)
    },
  }
}

function isUnknown(refusal: LedgerRefusal, account: string): boolean {
  return refusal.code === 'account_unknown' && refusal.account === account
}

/** What is owed to a merchant is there without being opened, and then nobody keeps it exact. */
function notGuarded(account: string): Refusal {
  const detail = `${account} has to be opened as a guarded account first: POST /v1/accounts`
  return new Refusal('account_not_guarded', { field: 'merchant', detail, members: { account } })
}

/** @throws Refusal that names the field. */
export function payoutCommand(body: PayoutBody, reading: Reading): PostEntry {
  const { id, merchant, from, amount, up_to, currency } = body
  if (amount !== undefined && up_to !== undefined) throw wrong('up_to', 'up_to must be left out where amount is given')
  const transfer = {
    debit: movableAccount(payable(merchant), 'merchant'),
    credit: movableAccount(from, 'from'),
    amount: amount === undefined && up_to === undefined ? ALL : fromMinorNumber(amount ?? up_to ?? 0),
    currency: currencyOf(currency, 'currency'),
    isSweep: amount === undefined,
    // What has been paid out cannot be asked back: nobody is paid more than they have.
    leaves: 0n,
  }
  if (transfer.debit === transfer.credit) throw wrong('from', 'from must not be what is owed to the merchant')
  return {
    kind: 'entry',
    id: commandId(checkedId(id)),
    fingerprint: fingerprintOf(body, reading),
    purpose: PAYOUT_PURPOSE,
    postings: [],
    transfers: [transfer],
    conditions: [],
    effectiveAt: effectiveOf(body.effective_at, reading.now),
  }
}

export function payoutFailure(id: string, body: { effective_at?: string }, reading: Reading): ReverseEntry {
  const payout = commandId(id)
  return {
    kind: 'reversal',
    id: `${payout}/failed`,
    // Failed is failed: when it is said to have happened makes no other failure of it.
    fingerprint: fingerprintOf({ payout }, reading),
    entry: entrySource(payout),
    effectiveAt: effectiveOf(body.effective_at, reading.now),
  }
}

/** Apart from the ids of entries, which have no slash. */
function commandId(id: string): string {
  return `payout/${id}`
}

function payoutId(commandName: string): string {
  return commandName.split('/')[1] ?? ''
}
