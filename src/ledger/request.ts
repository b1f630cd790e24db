import { canonicalJson, type Json } from '#kernel/canonical'
import { containsCardNumber } from '#kernel/card-number'
import { parseCurrency } from '#kernel/currency'
import type { Digest } from '#kernel/digest'
import { Refusal } from '#kernel/errors'
import { fromMinorNumber } from '#kernel/money'
import { isOfCurrencies } from './accounts.ts'
import type { Command, Condition, PlaceHold, PostEntry, ReverseEntry, ScheduleEntry, Transfer } from './command.ts'
import type { Posting } from './entry.ts'
import { instantIn } from './instant.ts'
import { isOfRevaluation } from './revaluation.ts'
import type { EntryBody, HoldBody } from './shapes.ts'
import { fillTemplate, type Template } from './template.ts'

export type Reading = {
  readonly tenant: string
  readonly mode: string
  readonly digest: Digest
  /** Unix milliseconds. */
  readonly now: number
  /** Of the configuration; absent where nothing is made by one. */
  readonly templates?: ReadonlyMap<string, Template>
}

/** @throws Refusal that names the field. */
export function entryCommand(body: EntryBody, reading: Reading): PostEntry | ReverseEntry {
  const { id, reverses, postings = [], transfers = [], conditions = [] } = body
  const effectiveAt = effectiveOf(body.effective_at, reading.now)
  const named = { id: checkedId(id), fingerprint: fingerprintOf(body, reading) }
  if (reverses !== undefined) {
    const others = ['postings', 'transfers', 'conditions', 'purpose', 'template', 'parameters'] as const
    const other = others.find((name) => body[name] !== undefined)
    if (other) throw wrong(other, `${other} must be left out: reverses books the opposite of an entry as it is`)
    if (isOfRevaluation(reverses)) {
      throw wrong(
        'reverses',
        'reverses must leave entries of a revaluation to the next one, which takes up what changed',
      )
    }
    return { kind: 'reversal', ...named, entry: reverses, effectiveAt }
  }
  if (body.template !== undefined) return templateCommand(body, body.template, { ...named, effectiveAt }, reading)
  if (body.parameters !== undefined) throw wrong('template', 'template is required where there are parameters')
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

type NamedAt = Pick<PostEntry, 'id' | 'fingerprint' | 'effectiveAt'>

/** What the template makes of the parameters; conditions may be added to its own. */
function templateCommand(body: EntryBody, name: string, named: NamedAt, { templates }: Reading): PostEntry {
  const others = ['postings', 'transfers', 'purpose'] as const
  const other = others.find((field) => body[field] !== undefined)
  if (other) throw wrong(other, `${other} must be left out: the template says it`)
  const template = templates?.get(name)
  if (!template) {
    const known = [...(templates?.keys() ?? [])].join(', ')
    throw new Refusal('template_unknown', { field: 'template', ...(known ? { detail: `known are ${known}` } : {}) })
  }
  const { postings, transfers, conditions } = fillTemplate(template, body.parameters ?? {})
  if (postings.length + transfers.length === 0) throw wrong('parameters', 'with these parameters nothing is moved')
  return {
    kind: 'entry',
    ...named,
    purpose: template.purpose,
    postings,
    transfers,
    conditions: [...conditions, ...(body.conditions ?? []).map(conditionOf)],
    template: { name, version: template.version },
  }
}

/** The entry, or its schedule where it is to be booked at a time. @throws Refusal that names the field. */
export function entryOrSchedule(
  { scheduled_for, ...body }: EntryBody,
  reading: Reading,
  isDryRun: boolean,
): PostEntry | ReverseEntry | ScheduleEntry {
  if (scheduled_for === undefined) return entryCommand(body, reading)
  const dueAt = instantOf(scheduled_for, 'scheduled_for')
  const other = body.effective_at
  if (other !== undefined)
    throw wrong('effective_at', 'effective_at must be left out: it takes effect at scheduled_for')
  const fingerprint = fingerprintOf({ ...body, scheduled_for }, reading)
  const entry = { ...entryCommand(body, reading), fingerprint }
  if (isDryRun) return entry
  const { id } = entry
  return { kind: 'schedule', id, fingerprint, entry: { ...entry, effectiveAt: dueAt }, askedAt: reading.now, dueAt }
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
  const at = instantIn(text)
  if (at === undefined) throw wrong(field, `${field} must be a time of RFC 3339, as in 2026-11-21T09:30:00Z`)
  return at
}

export function wrong(field: string, detail: string): Refusal {
  return new Refusal('body_invalid', { field, detail })
}
