import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GatewayAccount } from '#gateways'
import { type AppUnderTest, createAppDatabase, openApp } from '#harness/app'
import { createPuppet, type FaultKind } from '#harness/faults'
import { openGateway } from '#harness/gateway'
import { postedPayments } from '#harness/load'
import { chargeSucceeded } from '#harness/stripe-events'
import { until } from '#harness/until'
import { verifyLedger } from '#ledger'

// A 2xx is sent only after the log has it. Whoever was answered is paid, whatever dies at whichever statement: first the
// door, then the loops behind it. The whole database dying under load is incidents 1 and 26.

type Ending = { after(work: () => Promise<void>): void }

test('the door dies or is cut off at each statement: what it acknowledged is processed, and a retry settles the rest', async (t) => {
  const { url } = await createAppDatabase(t)
  const gateway = await openGateway(t)
  const accounts = [gateway.account]
  const answered: string[] = []
  const names: string[] = []
  for (const kind of ['cut', 'die'] as const) {
    // The first one that is answered had its fault past the last statement: the sweep has covered them all.
    for (let at = 1; !answered.includes(kind); at++) {
      const name = `${kind}${at}`
      names.push(name)
      if (await payAtFault(t, { url, accounts, kind, at, name })) answered.push(name, kind)
    }
  }
  assert.ok(names.length >= 8, `${names.length} faults`)

  const app = await openApp(t, { url, accounts })
  gateway.reportTo(app)
  await app.start()
  await app.settle()
  const paid = async (): Promise<Set<string>> => {
    const rows = await app.rows<{ id: string }>(`select id from payments.payment where status = 'captured'`)
    return new Set(rows.map(({ id }) => id))
  }
  const processed = await paid()
  for (const name of names.filter((asked) => answered.includes(asked)))
    assert.ok(processed.has((await app.pay({ key: name })).id), name)

  const retried = await Promise.all(names.map((name) => app.pay({ key: name })))
  await app.settle()
  const captured = await paid()
  assert.deepEqual(
    retried.filter(({ id }) => !captured.has(id)),
    [],
  )
  for (const { id } of retried) assert.equal(gateway.intentsOf(id).length, 1)
})

test('a process dies at each statement of its work: all that was accepted is posted, once', async (t) => {
  const { url } = await createAppDatabase(t)
  const survivor = await openApp(t, { url })
  let at = 0
  let isThrough = false
  while (!isThrough) {
    at++
    isThrough = await workUntilDeath(t, url, survivor, at)
  }
  await survivor.start()
  await survivor.settle()
  const posted = await postedPayments(survivor)
  assert.equal(posted.size, at)
  assert.deepEqual(
    [...posted].filter(([, n]) => n !== 1),
    [],
  )
  assert.deepEqual((await verifyLedger(survivor.databases.read)).findings, [])
  assert.ok(at > 10, `a payment’s way through the loops has more statements than ${at}`)
})

type DoorFault = { url: string; accounts: readonly GatewayAccount[]; kind: FaultKind; at: number; name: string }

/** Whether the client was answered. */
async function payAtFault(t: Ending, { url, accounts, kind, at, name }: DoorFault): Promise<boolean> {
  const puppet = createPuppet({ url, name: `door_${name}` })
  const app = await openApp(t, { url, databases: { door: puppet.database }, accounts })
  puppet.arm({ at, kind })
  const answer = app.pay({ key: name }).then(
    () => true,
    () => false,
  )
  let isAnswered: boolean | undefined
  void answer.then((value) => {
    isAnswered = value
  })
  await until('it is answered or dead', () => isAnswered !== undefined || puppet.isDead())
  if (puppet.isDead()) app.abandon()
  else t.after(() => puppet.close())
  return isAnswered ?? false
}

/** Lets a process die at the given statement of its work on one payment. Whether it got through without. */
async function workUntilDeath(t: Ending, url: string, survivor: AppUnderTest, at: number): Promise<boolean> {
  const name = `victim_${at}`
  const puppet = createPuppet({ url, name })
  const { database: work, clock } = puppet
  const victim = await openApp(t, { url, process: name, databases: { work }, clock })
  await victim.start()
  await survivor.webhook(chargeSucceeded(`pay${at}`))
  puppet.arm({ at, kind: 'die' })
  let isPosted = false
  await until('it is dead or done', async () => {
    isPosted = (await postedPayments(survivor)).has(`pay${at}`)
    return isPosted || puppet.isDead()
  })
  if (!puppet.isDead()) await puppet.kill()
  victim.abandon()
  // As if its leases had run out: waiting for it is incident 5.
  await survivor.rows(`update log.lease set expires_at = '-infinity' where owner = $1`, [name])
  await survivor.rows('delete from log.member where process = $1', [name])
  return isPosted
}
