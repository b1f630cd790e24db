import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { rowsOf, traceparent } from '#harness/app'
import { createPuppet } from '#harness/faults'
import { createLogDatabase } from '#harness/log'
import { until } from '#harness/until'
import { brandId, type TenantId } from '#kernel/ids'
import { seededRandom } from '#kernel/random'
import { createDoor, createWakeups, decider, eventType, follow, type Module, registerLog, startLog } from '#log'

// The accident: the clock jumped back and timers fired twice, or not at all. The clock that decides, which is the
// database's, is stepped here an hour forth and back, over both changes of summer time and through a repeated second,
// around timers that come due meanwhile. A firing that log.spend_timers does
// not spend leaves its timer behind; a loop that sleeps until the due time by a clock of its own leaves some unfired.

const asked = eventType({
  type: 'toy.asked',
  topic: 'toy.inbox',
  schema: Type.Object({ n: Type.Integer(), at: Type.Integer() }),
})
const rang = eventType({ type: 'toy.rang', topic: 'toy.timers', schema: Type.Object({ n: Type.Integer() }) })

const minuteMs = 60_000
const hourMs = 60 * minuteMs

const changes: [name: string, start: string][] = [
  ['on a day like any other', '2026-06-15T12:00:00Z'],
  ['as summer time begins in Berlin', '2026-03-29T00:59:30Z'],
  ['as it ends, and an hour comes twice', '2026-10-25T00:59:30Z'],
]

for (const [name, start] of changes) {
  test(`each timer fires once though the clock steps ±1 h, ${name}`, async (t) => {
    const { url } = await createLogDatabase(t)
    let offsetMs = Date.parse(start) - Date.now()
    const puppet = createPuppet({ url, name: 'clock', offsetMs: () => offsetMs })
    const { database, clock } = puppet
    const fired: number[] = []
    const module = clockmaker(fired)
    const wakeups = createWakeups()
    await registerLog(database, [module], [])
    const shared = { database, clock, random: seededRandom(1), wakeups, soloGroups: [], enqueue: async () => {} }
    const log = await startLog({ ...shared, modules: [module], process: 'clock', report: () => {} })
    const door = createDoor(database, wakeups)
    t.after(async () => {
      await log.stop()
      await door.close()
      await puppet.close()
    })

    const now = clock.now()
    // Two minutes apart over two hours, and five for the second that is repeated.
    const dues = [
      ...Array.from({ length: 60 }, (_, n) => now + n * 2 * minuteMs),
      ...Array<number>(5).fill(now + 1_000),
    ]
    await door.append(dues.map((at, n) => timerAsked(n, at)))
    await until('the timers are set', async () => (await timers(database)) + fired.length === dues.length)
    await until('what is due has fired', () => fired.length >= 1)

    const steps = [1_000, -1_000, hourMs, -hourMs, hourMs + 500, -1_000, 1_000, -hourMs, 2 * hourMs]
    for (const step of steps) {
      offsetMs += step
      wakeups.wake(['timers'])
      await until('what is due has fired', async () => (await due(database, clock.now())) === 0)
    }
    await until('all have fired', () => fired.length >= dues.length)
    offsetMs -= 2 * hourMs
    wakeups.wake(['timers'])
    await until('nothing is left', async () => (await timers(database)) === 0)
    const firings = await rowsOf(database, `select count(*)::int as n from log.event where type = 'toy.rang'`)
    assert.deepEqual(firings, [{ n: dues.length }])
    assert.deepEqual(
      fired.toSorted((one, other) => one - other),
      dues.map((_, n) => n),
    )
  })
}

function clockmaker(fired: number[]): Module {
  return {
    name: 'toy',
    summary: 'Sets the timers it is asked for, and notes which have fired.',
    events: [asked, rang],
    deciders: [
      decider({
        name: 'set',
        reads: [asked],
        publishes: [rang],
        handle: async (events) => ({
          timers: events.map((event) => ({
            schedule: {
              id: `timer-${event.data.n}`,
              at: event.data.at,
              event: follow(event, rang, { n: event.data.n }),
            },
          })),
        }),
      }),
      decider({
        name: 'hear',
        reads: [rang],
        publishes: [],
        handle: async (events) => {
          for (const { data } of events) fired.push(data.n)
          return {}
        },
      }),
    ],
  }
}

function timerAsked(n: number, at: number) {
  const id = `evt_${n}`
  const about = { tenant: brandId<TenantId>('main'), mode: 'test', traceparent } as const
  return { id, of: asked, key: `key-${n}`, ...about, causationId: null, correlationId: id, data: { n, at } }
}

async function timers(database: Parameters<typeof rowsOf>[0]): Promise<number> {
  return (await rowsOf<{ n: number }>(database, 'select count(*)::int as n from log.timer'))[0]?.n ?? 0
}

async function due(database: Parameters<typeof rowsOf>[0], now: number): Promise<number> {
  const text =
    'select count(*)::int as n from log.timer where fired_at is null and due_at <= to_timestamp($1::float8 / 1000)'
  return (await rowsOf<{ n: number }>(database, text, [now]))[0]?.n ?? 0
}
