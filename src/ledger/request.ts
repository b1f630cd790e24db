import { canonicalJson, type Json } from '#kernel/canonical'
import { containsCardNumber } from '#kernel/card-number'
import { parseCurrency } from '#kernel/currency'
import type { Digest } from '#kernel/digest'
import { Refusal } from '#kernel/errors'
import { fromMinorNumber } from '#kernel/money'
import { isOfCurrencies } from './accounts.ts'
import type { Command, Condition, PlaceHold, PostEntry, ReverseEntry, Transfer } from './command.ts'
import type { Posting } from './entry.ts'
import type { EntryBody, HoldBody } from './shapes.ts'

export type Reading = {
  readonly tenant: string
  readonly mode: string
  readonly digest: Digest
  /** Unix milliseconds. */
  readonly now: number
}

/** @throws Refusal that names the field. */
export function entryCommand(body: EntryBody, reading: Reading): PostEntry | ReverseEntry {
  const { id, reverses, postings = [], transfers = [], conditions = [] } = body
  const effectiveAt = effectiveOf(body.effective_at, reading.now)
  const named = { id: checkedId(id), fingerprint: fingerprintOf(body, reading) }
  if (reverses !== undefined) {
    const others = ['postings', 'transfers', 'conditions', 'purpose'] as const
    const other = others.find((name) => body[name] !== undefined)
    if (other) throw wrong(other, `${other} must be left out: reverses books the opposite of an entry as it is`)
    return { kind: 'reversal', ...named, entry: reverses, effectiveAt }
  }
  if (postings.length + transfers.length === 0) throw wrong('postings', 'postings or transfers are required')
  if (postings.some(({ amount }) => amount === 0)) throw wrong('postings', 'a posting must not be of nothing')
  return {
    kind: 'entry',
    ...named,
    purpose: body.purpose ?? 'entry',
    postings: postings.map((posting) => postingOf(posting)),
    transfers: transfers.map((transfer) => transferOf(transfer, 'transfers')),
    conditions: conditions.map(conditionOf),
    effectiveAt,
  }
}

/** @throws Refusal that names the field. */
export function holdCommand(body: HoldBody, reading: Reading): PlaceHold {
  const expiresAt = body.expires_at === undefined ? undefined : instantOf(body.expires_at, 'expires_at')
  if (expiresAt !== undefined && expiresAt <= reading.now) throw wrong('expires_at', 'expires_at must be in the future')
  return {
    kind: 'hold',
    id: checkedId(body.id),
    fingerprint: fingerprintOf(body, reading),
    purpose: body.purpose ?? 'hold',
    transfer: transferOf(body, 'debit'),
    conditions: (body.conditions ?? []).map(conditionOf),
    expiresAt,
  }
}

/** @throws Refusal that names the field. */
export function holdPostCommand(
  hold: string,
  body: { id: string; amount?: number; effective_at?: string },
  reading: Reading,
): Command {
  const amount = body.amount === undefined ? undefined : fromMinorNumber(body.amount)
  const effectiveAt = effectiveOf(body.effective_at, reading.now)
  const fingerprint = fingerprintOf({ hold, ...body }, reading)
  return { kind: 'hold_post', id: checkedId(body.id), fingerprint, hold, amount, effectiveAt }
}

export function holdVoidCommand(hold: string, body: { id: string }, reading: Reading): Command {
  const fingerprint = fingerprintOf({ hold, ...body }, reading)
  return { kind: 'hold_void', id: checkedId(body.id), fingerprint, hold, isExpiry: false }
}

export function fingerprintOf(body: Json | object, { tenant, mode, digest }: Reading): string {
  return digest('ledger-command', tenant, mode, canonicalJson(body as Json))
}

/** Ids and names are kept in clear: they must not be what is kept nowhere. */
export function checkedId(id: string): string {
  if (containsCardNumber(id)) throw wrong('id', 'id must not contain a card number')
  return id
}

export function checkedAccount(account: string, field: string): string {
  if (containsCardNumber(account)) throw wrong(field, `${field} must not contain a card number`)
  return account
}

/** What currencies are worth is in their accounts: who moved them otherwise would have gains come from nowhere. */
export function movableAccount(account: string, field: string): string {
  if (isOfCurrencies(account)) throw wrong(field, `${field} must leave accounts of currencies to conversions`)
  return checkedAccount(account, field)
}

function postingOf({ account, amount, currency }: { account: string; amount: number; currency: string }): Posting {
  const known = currencyOf(currency, 'postings')
  return { account: movableAccount(account, 'postings'), amount: fromMinorNumber(amount), currency: known }
}

type TransferBody = { debit: string; credit: string; amount: number; currency: string; sweep?: boolean }
function transferOf({ debit, credit, amount, currency, sweep = false }: TransferBody, field: string): Transfer {
  if (debit === credit) throw wrong(field, 'debit and credit must be two accounts')
  return {
    debit: movableAccount(debit, field),
    credit: movableAccount(credit, field),
    amount: fromMinorNumber(amount),
    currency: currencyOf(currency, field),
    isSweep: sweep,
  }
}

type ConditionBody = { account: string; currency: string; at_least?: number; at_most?: number }
function conditionOf({ account, currency, at_least, at_most }: ConditionBody): Condition {
  if (at_least === undefined && at_most === undefined) {
    throw wrong('conditions', 'a condition has at_least, at_most or both')
  }
  return {
    account,
    currency: currencyOf(currency, 'conditions'),
    ...(at_least === undefined ? {} : { atLeast: fromMinorNumber(at_least) }),
    ...(at_most === undefined ? {} : { atMost: fromMinorNumber(at_most) }),
  }
}

export function currencyOf(text: string, field: string): string {
  if (parseCurrency(text) === undefined) throw new Refusal('currency_unknown', { field })
  return text
}

/** Entries are of what has happened: what is to come is a hold, or comes later. */
export function effectiveOf(text: string | undefined, now: number): number {
  if (text === undefined) return now
  const at = instantOf(text, 'effective_at')
  if (at > now) throw wrong('effective_at', 'effective_at must not be in the future')
  return at
}

function instantOf(text: string, field: string): number {
  const at = Date.parse(text)
  if (Number.isNaN(at)) throw wrong(field, `${field} must be a time of RFC 3339, as in 2026-11-21T09:30:00Z`)
  return at
}

export function wrong(field: string, detail: string): Refusal {
  return new Refusal('body_invalid', { field, detail })
}
