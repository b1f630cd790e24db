import type pg from 'pg'
import type { Gateway, OperationCall } from '../outside/gateway.ts'
import type { ToldOperation } from '../outside/operations.ts'
import { expect } from './expect.ts'

type OperationEvidence = { readonly asked: readonly ToldOperation[]; readonly gateway: Gateway }

/** An operation as the log last told of it. */
type Stood = {
  readonly id: string
  readonly payment: string
  readonly call: string
  readonly status: string
  readonly code: string | null
  readonly amount: number | null
}

/** What merchants had done with payments: once under each key, told truly, never more than there is, and to an end. */
export async function auditOperations(admin: pg.Client, evidence: OperationEvidence): Promise<void> {
  const { rows } = await admin.query<Stood>(LAST_TOLD)
  auditAnswers(evidence, rows)
  auditEnds(rows)
  auditTruth(evidence.gateway, rows)
  auditWhatWasAsked(evidence.gateway)
}

const LAST_TOLD = `select distinct on (e.data ->> 'operation') e.data ->> 'operation' as id, e.key as payment,
    e.data ->> 'call' as call, e.data ->> 'status' as status, e.data ->> 'code' as code, (e.data ->> 'amount')::float8 as amount
  from log.event e where e.type = 'payment.operation_changed'
  order by e.data ->> 'operation', e."offset" desc`

/** A key is one operation, whoever asks and however often; whatever was taken is there, and nothing that nobody asked for. */
function auditAnswers({ asked }: OperationEvidence, rows: readonly Stood[]): void {
  const known = new Map(rows.map((row) => [row.id, row]))
  const wishes = Map.groupBy(asked, ({ payment, wish }) => `${payment} ${wish.call} ${wish.key}`)
  const owners = new Map<string, string>()
  const doubtful = new Map<string, number>()
  for (const [name, told] of wishes) {
    const ids = new Set(told.flatMap((one) => ('id' in one ? [one.id] : [])))
    expect(ids.size <= 1, `${name} is several operations: ${[...ids].join(', ')}`)
    const [id] = ids
    if (id !== undefined) {
      expect(!owners.has(id), `${name} and ${owners.get(id)} are one operation: ${id}`)
      owners.set(id, name)
      const { amount } = known.get(id) ?? {}
      expect(known.has(id), `${name} was taken as ${id}, which does not exist`)
      const isWished = told.some(({ wish }) => wish.amount === undefined || amount === null || wish.amount === amount)
      expect(isWished, `${name} is of ${amount}, which nobody asked for`)
    } else if (told.some(({ kind }) => kind === 'gave_up')) {
      const [one] = told
      if (one) doubtful.set(one.payment, (doubtful.get(one.payment) ?? 0) + 1)
    }
  }
  const strangers = rows.filter(({ id, call }) => call !== 'authorize' && !owners.has(id))
  for (const [payment, { length }] of Map.groupBy(strangers, (row) => row.payment)) {
    expect(length <= (doubtful.get(payment) ?? 0), `${payment} has operations that nobody asked for`)
  }
}

function auditEnds(rows: readonly Stood[]): void {
  const open = rows.filter(({ status }) => status === 'pending' || status === 'unknown')
  expect(open.length === 0, `operations without an end: ${JSON.stringify(open)}`)
  const unexplained = rows.filter(
    ({ call, status, code }) => call !== 'authorize' && status !== 'succeeded' && code === null,
  )
  expect(unexplained.length === 0, `without a reason: ${JSON.stringify(unexplained)}`)
}

/** What the gateway did has succeeded, and what it did not has not. */
function auditTruth(gateway: Gateway, rows: readonly Stood[]): void {
  const known = new Map(rows.map((row) => [row.id, row]))
  const done = gateway.operations.filter(({ isDone }) => isDone)
  const unasked = done.filter(({ operation }) => !known.has(operation))
  expect(unasked.length === 0, `done at the gateway under a key of nobody's: ${JSON.stringify(unasked)}`)
  const failedLater = new Set(
    gateway.refunds.flatMap(({ status, metadata }) => (status === 'failed' ? [metadata.millrace_operation] : [])),
  )
  for (const row of rows.filter(({ call }) => call !== 'authorize')) {
    const call = gateway.operations.find(({ operation }) => operation === row.id)
    const isDone = call?.isDone === true && !failedLater.has(row.id)
    const isTrue = (row.status === 'succeeded') === isDone || cameAboutOtherwise(gateway, row, call)
    expect(isTrue, `${row.id}, a ${row.call}, is told as ${row.status}, and was ${isDone ? '' : 'not '}done`)
  }
  const refunds = Map.groupBy(gateway.refunds, ({ metadata }) => metadata.millrace_operation)
  for (const [operation, made] of refunds) {
    expect(operation === undefined || made.length === 1, `${operation} refunded ${made.length} times`)
  }
}

/** A hold that was in doubt and came to the wished end by the gateway's own doing: nobody can tell the two apart. */
function cameAboutOtherwise(
  { meddledWith }: Gateway,
  { call, status, amount }: Stood,
  made: OperationCall | undefined,
) {
  const intent = made?.intent
  if (status !== 'succeeded' || intent === undefined || !meddledWith.has(intent)) return false
  return call === 'capture' ? intent.amount_received === amount : call === 'cancel' && intent.status === 'canceled'
}

/** Codes by which a gateway says that there was not so much to give back, or nothing to take or let go. */
const IMPOSSIBLE = new Set(['amount_too_large', 'charge_already_refunded', 'payment_intent_unexpected_state'])

/** A gateway may be less careful than this one: it is never asked for more than is left, nor for a hold's second end. */
function auditWhatWasAsked({ operations, meddledWith }: Gateway): void {
  const impossible = operations.filter(
    ({ refusal, intent }) => IMPOSSIBLE.has(refusal ?? '') && !(intent && meddledWith.has(intent)),
  )
  expect(
    impossible.length === 0,
    `asked for what could not be: ${JSON.stringify(impossible.map(({ intent, ...call }) => ({ ...call, intent: intent?.id })))}`,
  )
}
