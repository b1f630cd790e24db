import assert from 'node:assert/strict'
import { verifyLedger } from '#ledger'
import { type AppUnderTest, createAppDatabase, openApp } from './app.ts'
import { createPuppet } from './faults.ts'
import { postedPayments } from './load.ts'
import { chargeSucceeded } from './stripe-events.ts'
import { until } from './until.ts'

type Ending = { after(work: () => Promise<void>): void }

/** A process dies at each n-th statement of its work on a payment; what was accepted is posted once by who survives. */
export async function dieAtWork(t: Ending, step: number): Promise<void> {
  const { url } = await createAppDatabase(t)
  const survivor = await openApp(t, { url })
  let at = 1
  let payments = 1
  for (; !(await workUntilDeath(t, url, survivor, at)); at += step) payments++
  await survivor.start()
  await survivor.settle()
  const posted = await postedPayments(survivor)
  assert.equal(posted.size, payments)
  assert.deepEqual(
    [...posted].filter(([, n]) => n !== 1),
    [],
  )
  assert.deepEqual((await verifyLedger(survivor.databases.read)).findings, [])
  assert.ok(at > 10, `a payment’s way through the loops has more statements than ${at}`)
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
