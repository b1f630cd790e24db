import type pg from 'pg'
import type { Intent } from '../../../src/gateways/simulated/objects.ts'
import type { Gateway } from '../outside/gateway.ts'
import type { Asked, Told } from '../outside/merchants.ts'
import { ACCOUNT, AMOUNT_MAX } from '../system.ts'
import { expect, expectNone } from './expect.ts'

export type MoneyEvidence = {
  readonly told: readonly Told[]
  readonly gateway: Gateway
}

/** A status read late by a process that was cut off between reading its clock and sending. */
const EXPIRY_SLACK_MS = 30_000

/** Predicts every payment and every account from what clients were told and what the gateway truly did. */
export async function auditMoney(admin: pg.Client, evidence: MoneyEvidence): Promise<void> {
  auditCharges(evidence)
  await auditPayments(admin, evidence)
  await auditStatusesTold(admin, evidence)
  await auditAccounts(admin, evidence)
  await auditEntries(admin)
}

/** A payment is charged once, never by a request that was refused, and not after its time. */
function auditCharges({ told, gateway }: MoneyEvidence): void {
  const charged = new Map<string, number>()
  for (const { metadata } of gateway.intents) {
    const payment = metadata.millrace_payment
    if (payment !== undefined) charged.set(payment, (charged.get(payment) ?? 0) + 1)
  }
  for (const [payment, times] of charged) expect(times === 1, `${payment} was charged ${times} times`)
  for (const one of told) {
    if (one.kind === 'rejected') expect(!charged.has(one.id), `${one.id} was refused by risk, and charged`)
  }
  const expiresAt = new Map(told.flatMap((one) => (one.kind === 'accepted' ? [[one.id, one.asked.expiresAt]] : [])))
  const seen = new Set<string>()
  for (const { payment, clockMs, trueMs } of gateway.calls) {
    const limit = expiresAt.get(payment)
    // By any clock: one may have been set in the moment between the decision and the call.
    const sentAt = Math.min(clockMs, trueMs)
    const isLate = !seen.has(payment) && limit !== undefined && sentAt > limit + EXPIRY_SLACK_MS
    seen.add(payment)
    expect(!isLate, `${payment} was first sent at ${sentAt}, though it expired at ${limit}`)
  }
}

async function auditPayments(admin: pg.Client, { told, gateway }: MoneyEvidence): Promise<void> {
  const { rows } = await admin.query('select id, status, state, merchant from payments.payment')
  const statuses = new Map<string, string>(rows.map(({ id, status }) => [id, status]))
  for (const one of told) {
    if (one.kind === 'gave_up') continue
    const status = statuses.get(one.id)
    expect(status !== undefined, `${one.asked.key} was told ${one.kind} ${one.id}, which does not exist`)
    const expected = expectedStatuses(one.id, one.asked, gateway)
    expect(expected.includes(status ?? ''), `${one.id} (${one.kind}) is ${status}, not ${expected.join(' or ')}`)
    if (one.kind === 'rejected') expect(status === 'rejected', `${one.id} was refused by risk, and is ${status}`)
  }
  const ours = new Set(told.flatMap((one) => (one.kind === 'gave_up' ? [] : [one.id])))
  const strangers = rows.filter(({ id, merchant }) => !ours.has(id) && merchant !== ACCOUNT.merchant)
  const givenUp = told.filter(({ kind }) => kind === 'gave_up').length
  expect(
    strangers.length <= givenUp,
    `payments that nobody asked for: ${JSON.stringify(strangers.map(({ id }) => id))}`,
  )
  const own = rows.filter(({ id, merchant }) => !ours.has(id) && merchant === ACCOUNT.merchant).length
  const atGateway = gateway.intents.filter(({ metadata }) => metadata.millrace_payment === undefined).length
  expect(own === atGateway, `${atGateway} payments began at the gateway, ${own} are known`)
}

/** Nobody is ever told that a payment failed of which the gateway has the money, or will have: a doubt is no no. */
async function auditStatusesTold(admin: pg.Client, { gateway }: MoneyEvidence): Promise<void> {
  const charged = gateway.intents.filter(({ latest_charge }) => latest_charge?.status === 'succeeded')
  const { rows } = await admin.query(
    `select key, data ->> 'to' as status from log.event where type = 'payment.status_changed'
     and data ->> 'to' in ('failed', 'expired') and key = any ($1)`,
    [charged.flatMap(({ metadata }) => metadata.millrace_payment ?? [])],
  )
  expect(rows.length === 0, `told of charged payments: ${JSON.stringify(rows)}`)
}

function expectedStatuses(id: string, asked: Asked, gateway: Gateway): string[] {
  const intent = gateway.intents.find(({ metadata }) => metadata.millrace_payment === id)
  if (asked.amount > AMOUNT_MAX) return ['rejected']
  if (!intent) return ['failed', 'expired']
  const charge = intent.latest_charge
  if (intent.status === 'requires_capture') return ['authorized']
  if (intent.status === 'canceled') return ['canceled']
  if (intent.status !== 'succeeded' || !charge) return ['failed']
  if (gateway.disputes.some((dispute) => dispute.charge === charge.id && dispute.status !== 'won')) return ['disputed']
  // Not the charge's own figure: it counts what a partial capture released.
  const refunds = gateway.refunds.filter((refund) => refund.charge === charge.id && refund.status === 'succeeded')
  const refunded = refunds.reduce((sum, { amount }) => sum + amount, 0)
  if (refunded === 0) return ['captured']
  return refunded >= charge.amount_captured ? ['refunded'] : ['partially_refunded']
}

/** Account and currency to minor units, debits positive. */
type Balances = Map<string, bigint>

async function auditAccounts(admin: pg.Client, { told, gateway }: MoneyEvidence): Promise<void> {
  const expected = expectedBalances(told, gateway)
  const { rows } = await admin.query(
    'select account, currency, sum(amount) as amount from ledger.posting group by 1, 2',
  )
  const actual: Balances = new Map(rows.map(({ account, currency, amount }) => [`${account} ${currency}`, amount]))
  const wrong = [...new Set([...expected.keys(), ...actual.keys()])]
    .filter((name) => (expected.get(name) ?? 0n) !== (actual.get(name) ?? 0n))
    .map((name) => `${name}: ${actual.get(name) ?? 0n} in the ledger, ${expected.get(name) ?? 0n} in truth`)
  expect(wrong.length === 0, wrong.join('; '))
}

function expectedBalances(told: readonly Told[], gateway: Gateway): Balances {
  const merchants = new Map(told.flatMap((one) => (one.kind === 'gave_up' ? [] : [[one.id, one.asked.merchant]])))
  // Whoever gave up never learned the payment's id: its amount tells.
  const merchantOf = ({ metadata, amount, currency }: Intent): string => {
    const payment = metadata.millrace_payment
    if (payment === undefined) return ACCOUNT.merchant
    const silent = told.find(
      ({ kind, asked }) => kind === 'gave_up' && asked.amount === amount && asked.currency.toLowerCase() === currency,
    )
    return merchants.get(payment) ?? silent?.asked.merchant ?? 'nobody'
  }
  const balances: Balances = new Map()
  const move = (debit: string, credit: string, amount: number, currency: string): void => {
    for (const [account, delta] of [
      [debit, BigInt(amount)],
      [credit, -BigInt(amount)],
    ] as const) {
      const name = `${account} ${currency.toUpperCase()}`
      balances.set(name, (balances.get(name) ?? 0n) + delta)
    }
  }
  const [receivable, fees] = [`gateway:${ACCOUNT.name}:receivable`, `gateway:${ACCOUNT.name}:fees`]
  const disputed = `gateway:${ACCOUNT.name}:disputed`
  const payableOf = (charge: string): string => {
    const intent = gateway.chargeOf(charge)?.intent
    return `merchant:${intent ? merchantOf(intent) : 'nobody'}:payable`
  }
  for (const { latest_charge: charge } of gateway.intents) {
    if (!charge?.captured) continue
    move(receivable, payableOf(charge.id), charge.amount_captured, charge.currency)
    move(fees, receivable, charge.balance_transaction?.fee ?? 0, charge.currency)
  }
  for (const { charge, amount, currency, status } of gateway.refunds) {
    if (status === 'succeeded') move(payableOf(charge), receivable, amount, currency)
  }
  for (const { charge, amount, currency, status, balance_transactions } of gateway.disputes) {
    move(disputed, receivable, amount, currency)
    if (status === 'won') move(receivable, disputed, amount, currency)
    if (status === 'lost') move(payableOf(charge), disputed, amount, currency)
    for (const { fee } of balance_transactions) move(fees, receivable, fee, currency)
  }
  for (const { amount, currency } of gateway.payouts) move(`bank:${ACCOUNT.name}`, receivable, amount, currency)
  return balances
}

/** Every entry balanced, and balances and facts telling the same story. */
async function auditEntries(admin: pg.Client): Promise<void> {
  await expectNone(
    admin,
    'an entry is not balanced',
    'select entry, currency, sum(amount) from ledger.posting group by 1, 2 having sum(amount) <> 0',
  )
  await expectNone(
    admin,
    'balances are not the sums of the postings on the log',
    `select * from (
       select p ->> 'account' as account, p ->> 'currency' as currency, sum((p ->> 'amount')::numeric) as told,
         count(*) as entries
       from log.event e cross join lateral json_array_elements(e.data -> 'postings') p
       where e.type = 'ledger.entry_posted' group by 1, 2
     ) t full join (
       select account, currency, sum(debit) - sum(credit) as kept, sum(entries) as entries from ledger.balance group by 1, 2
     ) b using (account, currency)
     where t.told is distinct from b.kept or t.entries is distinct from b.entries`,
  )
  await expectNone(
    admin,
    'entries and their facts differ',
    `select id, told.entry from ledger.entry e
     full join (select data ->> 'entry' as entry from log.event where type = 'ledger.entry_posted') told on told.entry = e.id
     where e.id is null or told.entry is null`,
  )
}
