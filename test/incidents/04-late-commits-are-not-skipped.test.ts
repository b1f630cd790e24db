import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AppUnderTest, closeDatabases, createAppDatabase, openApp, openDatabases, rowsOf } from '#harness/app'
import { postedPayments } from '#harness/load'
import { chargeSucceeded } from '#harness/stripe-events'
import { interfere } from '#harness/wrapped-database'
import { systemClock } from '#kernel/clock'
import { seededRandom } from '#kernel/random'

// The accident: a reader of a log in PostgreSQL went past a number whose transaction committed after that of a higher
// one, and never came back for it. Here five doors dawdle between their append and their commit, each its own way,
// while the consumers read on. A log that takes offsets from a sequence fails both claims.

const doors = 5
const paymentsEach = 60

test('doors that commit late hide nothing from readers', async (t) => {
  const { url } = await createAppDatabase(t)
  const reader = await openApp(t, { url })
  await reader.start()
  const apps = await Promise.all(Array.from({ length: doors }, (_, number) => openDawdler(t, url, number)))
  const tail = startTail(reader)

  const names = apps.map((_, number) => Array.from({ length: paymentsEach }, (__, payment) => `d${number}x${payment}`))
  await Promise.all(apps.flatMap((app, number) => names[number]?.map((name) => app.webhook(chargeSucceeded(name)))))
  await reader.settle()

  const posted = await postedPayments(reader)
  assert.deepEqual(
    names.flat().filter((name) => posted.get(name) !== 1),
    [],
  )
  const seen = await tail.stop()
  for (const [partition, offsets] of seen) {
    assert.deepEqual(
      offsets,
      offsets.map((_, place) => BigInt(place)),
      `partition ${partition}`,
    )
  }
  assert.equal([...seen.values()].flat().length, doors * paymentsEach)
})

async function openDawdler(t: { after(work: () => Promise<void>): void }, url: string, number: number) {
  const own = openDatabases(url)
  t.after(() => closeDatabases(own))
  const random = seededRandom(number)
  const door = interfere(own.door, { beforeCommit: () => systemClock.sleep(random.unit() * 25) })
  return openApp(t, { url, databases: { door } })
}

/** Reads each partition as a consumer does: from the offset after the last one it saw. */
function startTail(app: AppUnderTest) {
  const seen = new Map<number, bigint[]>()
  let isOpen = true
  const look = async (): Promise<void> => {
    const next = [...seen].map(([partition, offsets]) => ({ partition, next: (offsets.at(-1) ?? -1n) + 1n }))
    const rows = await rowsOf<{ partition: number; offset: bigint }>(
      app.databases.read,
      `select e.partition, e."offset" from log.event e
       left join unnest($1::int[], $2::bigint[]) as s (partition, next) on s.partition = e.partition
       where e.topic = 'gateway.inbox' and e."offset" >= coalesce(s.next, 0) order by 1, 2`,
      [next.map(({ partition }) => partition), next.map((place) => place.next)],
    )
    for (const { partition, offset } of rows) seen.set(partition, [...(seen.get(partition) ?? []), offset])
  }
  const run = async (): Promise<void> => {
    while (isOpen) await look()
  }
  const done = run()
  return {
    async stop() {
      isOpen = false
      await done
      await look()
      return seen
    },
  }
}
