import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type AppUnderTest, openApp } from '#harness/app'
import { type GatewayUnderTest, openGateway } from '#harness/gateway'
import { chargeSucceeded, type StripeEvent } from '#harness/stripe-events'
import { trialBalance, verifyLedger } from '#ledger'

// Entries are whole and balanced, and nobody can make them otherwise: not a bug of ours, not the database's own
// superuser by a plain statement, as which this test runs.

const columns =
  'tenant, mode, source, id, purpose, accounts, amounts, currencies, effective_at, booked_at, event_id, traceparent'
const insert = (accounts: string, amounts: string, currencies: string): string =>
  `insert into ledger.entry (${columns})
   select 'main', 'test', 'forged', 'ent_forged', 'capture', ${accounts}, ${amounts}, ${currencies}, log.now(), log.now(), 'e', 't'`

const forgeries: [what: string, sql: string, code: string][] = [
  ['an entry that does not add up', insert(`'{a,b}'`, `'{5,-4}'`, `'{EUR,EUR}'`), '23514'],
  ['an entry balanced across currencies only', insert(`'{a,b}'`, `'{5,-5}'`, `'{EUR,USD}'`), '23514'],
  ['three postings balanced across currencies only', insert(`'{a,b,c}'`, `'{5,-4,-1}'`, `'{EUR,EUR,USD}'`), '23514'],
  ['an entry of one posting', insert(`'{a}'`, `'{0}'`, `'{EUR}'`), '23514'],
  ['an entry of none', insert(`'{}'`, `'{}'`, `'{}'`), '23514'],
  ['an entry with an amount too many', insert(`'{a,b}'`, `'{5,-5,0}'`, `'{EUR,EUR}'`), '23514'],
  ['an entry with an account too few', insert(`'{a}'`, `'{5,-5}'`, `'{EUR,EUR}'`), '23514'],
  ['an entry with an amount missing', insert(`'{a,b}'`, `'{0,null}'`, `'{EUR,EUR}'`), '23514'],
  ['an entry with a currency missing', insert(`'{a,b}'`, `'{5,-5}'`, `'{EUR,null}'`), '23514'],
  ['an entry with no currency', insert(`'{a,b}'`, `'{5,-5}'`, `'{null,null}'`), '23514'],
  ['an entry with an account missing', insert(`'{a,null}'`, `'{5,-5}'`, `'{EUR,EUR}'`), '23514'],
  ['a posting hidden before the first place', insert(`'[0:1]={a,b}'`, `'[0:1]={5,-4}'`, `'[0:1]={EUR,EUR}'`), '23514'],
  ['a matrix of postings', insert(`'{{a,b}}'`, `'{{5,-4}}'`, `'{{EUR,EUR}}'`), '23514'],
  ['an entry without amounts', insert(`'{a,b}'`, 'null', `'{EUR,EUR}'`), '23502'],
  ['the same source twice', `insert into ledger.entry (${columns}) select ${columns} from ledger.entry`, '23505'],
  ['a changed amount', `update ledger.entry set amounts = '{7,-7}'`, '23001'],
  ['a changed account', `update ledger.entry set accounts = '{x,y}'`, '23001'],
  [
    'a change by upsert',
    `insert into ledger.entry (${columns}) select ${columns} from ledger.entry on conflict (tenant, mode, source) do update set amounts = '{9,-9}'`,
    '23001',
  ],
  ['a deleted entry', 'delete from ledger.entry', '23001'],
  ['a truncated ledger', 'truncate ledger.entry', '23001'],
  ['a truncated ledger, cascading', 'truncate ledger.entry cascade', '23001'],
]

test('the database refuses what would unbalance or change the ledger, whoever asks', async (t) => {
  const app = await openApp(t)
  await app.start()
  await app.webhook(chargeSucceeded('real'))
  await app.settle()
  const [{ is_superuser: isSuperuser } = {}] = await app.rows<{ is_superuser: string }>('show is_superuser')
  assert.equal(isSuperuser, 'on')
  const before = await app.rows('select * from ledger.entry')
  for (const [what, sql, code] of forgeries) {
    await t.test(what, () => assert.rejects(app.rows(sql), { code }))
  }
  assert.deepEqual(await app.rows('select * from ledger.entry'), before)
  assert.deepEqual((await verifyLedger(app.databases.read)).findings, [])
})

test('verify finds a balance that is not the sum of its postings', async (t) => {
  const app = await openApp(t)
  await app.start()
  await app.webhook(chargeSucceeded('real'))
  await app.settle()
  await app.rows(`update ledger.balance set debit = debit + 1 where account = 'gateway:acme:receivable'`)
  const { findings } = await verifyLedger(app.databases.read)
  assert.equal(findings.length, 1)
})

type Life = {
  amount: number
  currency: string
  isManual: boolean
  captured: number
  end: 'none' | 'cancel' | 'win' | 'lose' | 'open'
  refunds: number[]
}

const anyLife: fc.Arbitrary<Life> = fc.record({
  amount: fc.integer({ min: 100, max: 100_000 }),
  currency: fc.constantFrom('eur', 'usd', 'jpy', 'kwd'),
  isManual: fc.boolean(),
  captured: fc.integer({ min: 1, max: 100 }),
  end: fc.constantFrom('none', 'cancel', 'win', 'lose', 'open'),
  refunds: fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 3 }),
})

test('lives of payments, reported in any order and twice, leave balances that are what was taken less what was given back', async (t) => {
  const gateway = await openGateway(t)
  const app = await openApp(t, { accounts: [gateway.account] })
  await app.start()
  const [lives = []] = fc.sample(fc.array(anyLife, { minLength: 80, maxLength: 80 }), 1)
  const expected = new Map<string, bigint>()
  for (const life of lives) {
    const left = live(gateway, life)
    expected.set(life.currency, (expected.get(life.currency) ?? 0n) + BigInt(left))
  }
  const events = gateway.events().map(({ body }): StripeEvent => JSON.parse(body))
  const [arriving = []] = fc.sample(fc.shuffledSubarray([...events, ...events], { minLength: events.length * 2 }), 1)
  await Promise.all(arriving.map((event) => app.webhook(event)))
  await app.settle(60_000)

  const { findings } = await verifyLedger(app.databases.read)
  assert.deepEqual(findings, [])
  assert.deepEqual(app.reports, [])
  const accounts = await trialBalance(app.databases.read, { tenant: 'main', mode: 'test' })
  for (const [currency, left] of expected) {
    const mine = accounts.filter((account) => account.currency === currency.toUpperCase())
    const payable = mine.find(({ account }) => account === 'merchant:mer_acme:payable')
    assert.equal(payable?.balance ?? 0n, left, currency)
    assert.equal(
      mine.reduce((sum, { debit, credit }) => sum + debit - credit, 0n),
      0n,
    )
  }
  await assertBalancesAreSums(app)
})

/** Lives it at the gateway, and returns what of it is the merchant's in the end. */
function live(gateway: GatewayUnderTest, { amount, currency, isManual, captured, end, refunds }: Life): number {
  const captureMethod = isManual ? 'manual' : 'automatic'
  const intent = gateway.reportPayment({ amount, currency, captureMethod })
  if (isManual && end === 'cancel') {
    gateway.cancel(intent.id)
    return 0
  }
  const taken = isManual ? Math.max(1, Math.floor((amount * captured) / 100)) : amount
  if (isManual) gateway.capture(intent.id, taken)
  const charge = intent.latest_charge?.id ?? ''
  let left = taken
  for (const share of refunds) {
    const back = Math.floor((taken * share) / 100)
    if (back < 1 || back >= left) continue
    gateway.refund(charge, back)
    left -= back
  }
  if (end === 'none' || end === 'cancel' || left < 1) return left
  const dispute = gateway.dispute(charge, left)
  if (end === 'win') gateway.winDispute(dispute.id)
  if (end !== 'lose') return left
  gateway.loseDispute(dispute.id)
  return 0
}

async function assertBalancesAreSums(app: AppUnderTest): Promise<void> {
  const differing = await app.rows(
    `select account, currency from (
       select account, currency, sum(amount) as n from ledger.posting group by 1, 2
     ) p full join (
       select account, currency, sum(debit - credit) as n from ledger.balance group by 1, 2
     ) b using (account, currency) where p.n is distinct from b.n`,
  )
  assert.deepEqual(differing, [])
}
