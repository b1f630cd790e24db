import assert from 'node:assert/strict'
import test from 'node:test'
import { createPuppet } from '#harness/faults'
import { differencesOf, openSession, openToy } from '#harness/notes'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { ReplayFailure } from './replay.ts'

test('a swap waits for a batch under way, gives up on one that never ends, and then nothing has changed', async (t) => {
  const toy = await openToy(t)
  await toy.arrive('ada', false)
  await toy.turn(1)
  await toy.spoil('change', 'ada')
  const before = await toy.notes()
  const sleeps: number[] = []
  let waited = 0
  const clock = {
    ...systemClock,
    monotonicMs: () => systemClock.monotonicMs() + waited,
    sleep: async (ms: number) => {
      if (sleeps.push(ms) === 2) held.resolve()
      if (sleeps.length > 4) waited += 10_000
    },
  }
  const held = Promise.withResolvers<void>()
  const { open, close } = await toy.replay({ clock })
  const holding = toy.hold(held.promise)
  await holding.begun
  await open.swap('os:ada')
  assert.ok(sleeps.length >= 2 && sleeps.every((ms) => ms >= 50 && ms <= 250))
  await holding.ended
  assert.notDeepEqual(await toy.notes(), before)

  await toy.spoil('change', 'ada')
  const forEver = Promise.withResolvers<void>()
  const stuck = toy.hold(forEver.promise)
  await stuck.begun
  await assert.rejects(open.swap('os:ada'), ReplayFailure)
  forEver.resolve()
  await stuck.ended
  assert.deepEqual(await toy.notes(), before)
  await close()
})

test('what arrives between the rebuild and the lock is in the swap, and what arrives behind it is folded by the live one', async (t) => {
  const toy = await openToy(t)
  await toy.arrive('ada', false)
  await toy.turn(1)
  await toy.spoil('change', 'ada')
  const session = openSession(toy.url)
  t.after(() => session.close())
  const live: Database = {
    ...session,
    async transaction(options, work) {
      if (options.lockTimeoutMs !== undefined) {
        await toy.arrive('ada', false)
        await toy.turn(1)
      }
      return session.transaction(options, work)
    },
  }
  const { open, close } = await toy.replay({ live })
  await open.swap('os:ada')
  assert.deepEqual(await toy.notes(), { ada: '1 2' })
  await toy.arrive('ada', false)
  await toy.turn(1)
  assert.deepEqual([await toy.notes(), await differencesOf(open)], [{ ada: '1 2 3' }, []])
  await close()
})

test('a swap that dies after any statement has happened, with its record, or has not', async (t) => {
  const toy = await openToy(t)
  const records = () => toy.rows(`select from log.record where type = 'log.projection_swapped'`)
  await toy.arrive('ada', false)
  await toy.turn(1)
  let at = 1
  for (let isWhole = false; !isWhole; at++) {
    await toy.spoil('change', 'ada')
    const before = (await records()).length
    const doomed = createPuppet({ url: toy.url, name: `swap ${at}` })
    const { open, close } = await toy.replay({ live: doomed.database })
    await open.catchUp()
    doomed.arm({ at, kind: 'die' })
    const swapping = open.swap('os:ada').then(() => {
      isWhole = true
    })
    await Promise.race([swapping, until('it is dead or done', () => isWhole || doomed.isDead())])
    await (isWhole ? doomed.close() : doomed.kill())
    await close()
    const hasHappened = (await records()).length > before
    assert.deepEqual(await toy.notes(), { ada: hasHappened ? '1' : 'spoiled' }, `at point ${at}`)
    assert.ok(hasHappened || !isWhole, 'told is done')
  }
  assert.ok(at > 10, `there were ${at} points only`)
})
