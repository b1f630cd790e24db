import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { App } from '#app'
import { type AppUnderTest, openApp } from '#harness/app'
import { until } from '#harness/until'

// The accident: a balance was checked without what was held, and an account was sold twice. Here two processes place holds,
// book, post, void and let expire on one account with a floor, all at once and far more than there is. The account's history
// is then read off the log, fact by fact: at no point of it is less available than the floor. Code that checks what is
// posted alone, or checks outside of the lock, crosses it within a few dozen commands.

const whose = { tenant: 'main', mode: 'test' } as const
const asked = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }
const FUNDS = 500n

type Desk = App['ledger']['desk']
type Command = Parameters<Desk['submit']>[0]['commands'][number]
type Outcome = Awaited<ReturnType<Desk['submit']>>[number]

test('holds, entries and expiries of two processes at once never take an account below its floor', async (t) => {
  const [one, other] = await twoProcesses(t)
  const submit = async (n: number, command: Command): Promise<Outcome> => {
    const { desk } = (n % 2 ? one : other).app.ledger
    const [outcome] = await desk.submit({ ...whose, ...asked, commands: [command], isLinked: false })
    assert.ok(outcome)
    return outcome
  }
  const clients = Array.from({ length: 48 }, async (_, n) => {
    for (let turn = 0; turn < 8; turn++) {
      const name = `${n}-${turn}`
      const amount = BigInt(((n * 31 + turn * 17) % 97) + 1)
      // A third spends at once, or pays in; the others hold first, and then post a part, let go, or forget about it.
      if (n % 3 === 0) {
        await submit(n, turn % 2 ? topup(name, 2n * amount) : entry(name, amount))
        continue
      }
      const held = await submit(n, hold(name, amount, turn % 4 === 3 ? Date.now() + 50 : undefined))
      if (held.status === 'refused' || turn % 4 === 3) continue
      const isPosted = turn % 2 === 0
      const ended = await submit(n + 1, isPosted ? post(name, (amount + 1n) / 2n) : release(name))
      assert.equal(ended.status, 'done', 'what is held can be posted, whatever has happened since')
    }
  })
  await Promise.all(clients)
  await until('what was forgotten has expired', async () => {
    return (await one.rows("select 1 from ledger.hold where state = 'held'")).length === 0
  })

  const history = await historyOf(one)
  let [posted, held, least] = [0n, 0n, FUNDS]
  for (const step of history) {
    posted += step.posted
    held += step.held
    least = posted - held < least ? posted - held : least
    assert.ok(posted - held >= 0n, `${posted} less ${held} held, at ${step.position}`)
  }
  assert.ok(least < 97n, `there was always enough: ${least} at least`)
  const [guard] = await one.rows(
    "select (-posted)::text as posted, held_debit::text as held from ledger.guard where account = 'wallet'",
  )
  assert.deepEqual(guard, { posted: `${posted}`, held: '0' })
  const [states] = await one.rows<{ posted: number; voided: number; expired: number }>(
    `select count(*) filter (where state = 'posted')::int as posted, count(*) filter (where state = 'voided')::int as voided,
       count(*) filter (where state = 'expired')::int as expired from ledger.hold`,
  )
  assert.ok(states && states.posted > 0 && states.voided > 0 && states.expired > 0, JSON.stringify(states))
})

test('of a hundred who want the same last ten, at two processes, ten get one each', async (t) => {
  const [one, other] = await twoProcesses(t)
  const spent = entry('all but ten', FUNDS - 10n)
  await one.app.ledger.desk.submit({ ...whose, ...asked, commands: [spent], isLinked: false })
  const commands = Array.from({ length: 100 }, (_, n) => (n % 2 ? hold(`${n}`, 1n, undefined) : entry(`${n}`, 1n)))
  const outcomes = await Promise.all(
    commands.map((command, n) =>
      (n % 4 < 2 ? one : other).app.ledger.desk.submit({ ...whose, ...asked, commands: [command], isLinked: false }),
    ),
  )
  const refused = outcomes.flat().flatMap((outcome) => (outcome.status === 'refused' ? [outcome.refusal] : []))
  assert.equal(refused.length, 90)
  const short = { code: 'insufficient_funds', account: 'wallet', currency: 'EUR', available: 0n, needed: 1n }
  assert.deepEqual(refused.at(-1), short)
})

async function twoProcesses(t: TestContext): Promise<[AppUnderTest, AppUnderTest]> {
  const one = await openApp(t)
  await one.start()
  const { accounts, desk } = one.app.ledger
  await accounts.open(whose, { account: 'cash', type: 'asset' }, asked)
  await accounts.open(whose, { account: 'wallet', type: 'liability', floor: 0n }, asked)
  await desk.submit({ ...whose, ...asked, commands: [topup('funds', FUNDS)], isLinked: false })
  return [one, await openApp(t, { url: one.url, process: 'other' })]
}

/** What each fact of the log did to the wallet, in the order in which they were committed. */
async function historyOf(app: AppUnderTest) {
  const rows = await app.rows<{ position: bigint; posted: string; held: string }>(
    `with fact as (
       select e.position, e.data, e.type, h.amount
       from log.event e
       left join ledger.hold h on h.tenant = e.tenant and h.mode = e.mode and h.id = e.data ->> 'hold'
       where e.topic = 'ledger'
     )
     select position, sum(posted)::text as posted, sum(held)::text as held
     from (
       select position, -(p ->> 'amount')::numeric as posted, 0 as held
       from fact cross join lateral json_array_elements(data -> 'postings') as p
       where type = 'ledger.entry_posted' and p ->> 'account' = 'wallet'
       union all
       select position, 0, amount from fact where type = 'ledger.hold_placed'
       union all
       select position, 0, -amount from fact where type = 'ledger.hold_ended'
     ) s
     group by position order by position`,
  )
  return rows.map(({ position, posted, held }) => ({ position, posted: BigInt(posted), held: BigInt(held) }))
}

const out = (amount: bigint) => ({ debit: 'wallet', credit: 'cash', amount, currency: 'EUR' })

const about = { purpose: 'sale', postings: [], conditions: [], effectiveAt: 1_700_000_000_000 }

function entry(id: string, amount: bigint): Command {
  return { kind: 'entry', id, fingerprint: id, transfers: [out(amount)], ...about }
}

function topup(id: string, amount: bigint): Command {
  const transfers = [{ debit: 'cash', credit: 'wallet', amount, currency: 'EUR' }]
  return { kind: 'entry', id, fingerprint: id, transfers, ...about }
}

function hold(id: string, amount: bigint, expiresAt: number | undefined): Command {
  return { kind: 'hold', id, fingerprint: id, purpose: 'hold', transfer: out(amount), conditions: [], expiresAt }
}

function post(of: string, amount: bigint): Command {
  return { kind: 'hold_post', id: `post-${of}`, fingerprint: of, hold: of, amount, effectiveAt: 1_700_000_000_000 }
}

function release(of: string): Command {
  return { kind: 'hold_void', id: `void-${of}`, fingerprint: of, hold: of, isExpiry: false }
}
