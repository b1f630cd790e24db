import { Type } from 'typebox'
import type { Destination } from '#delivery'
import { statement } from '#kernel/database'
import { FetchFailure, type HttpFetch } from '#kernel/fetch'
import { invariant } from '#kernel/invariant'
import { type Decision, decider, type EventOf, eventType, follow, type Module, projection } from '#log'

const Job = Type.Object({
  job: Type.String(),
  kind: Type.Union(
    ['plain', 'timer', 'cancel', 'move', 'call', 'call_once', 'call_soon'].map((kind) => Type.Literal(kind)),
  ),
  account: Type.String(),
  amount: Type.Integer(),
})

export const asked = eventType({ type: 'probe.asked', topic: 'probe.inbox', schema: Job })
export const booked = eventType({
  type: 'probe.booked',
  topic: 'probe.books',
  schema: Type.Object({ job: Type.String(), account: Type.String(), amount: Type.Integer() }),
})
export const rang = eventType({
  type: 'probe.rang',
  topic: 'probe.timers',
  schema: Type.Object({ job: Type.String(), setting: Type.String() }),
})
export const answered = eventType({
  type: 'probe.answered',
  topic: 'probe.results',
  schema: Type.Object({ job: Type.String(), outcome: Type.String() }),
})

/** Jobs that the probe chokes on while they are in it: the simulation's poison. */
export type Poison = ReadonlySet<string>

/** A module as a user would write one, made to use every part of the log and to write down what it was given. */
export function probeModule(poison: Poison): Module {
  return {
    name: 'probe',
    summary: 'Writes down what the log hands it.',
    events: [asked, booked, rang, answered],
    accepts: [asked],
    destinations: ['probe.window', 'probe.once'],
    migrations: new URL('./migrations/', import.meta.url),
    deciders: [
      decider({
        name: 'decide',
        reads: [asked, rang, answered],
        publishes: [booked],
        handle: async (events, { tx, now }) => {
          await tx.query(WRITE_DOWN, [JSON.stringify(linesOf('decide', events))])
          const poisoned = events.find((event) => event.type === 'probe.asked' && poison.has(event.data.job))
          invariant(!poisoned, 'a job must not be poison')
          const jobs = events.filter((event) => event.type === 'probe.asked')
          const rows = await tx.query<{ job: string }>(NEW_JOBS, [jobs.map(({ data }) => data.job)])
          const isNew = new Set(rows.map(({ job }) => job))
          return join(jobs.filter(({ data }) => isNew.delete(data.job)).map((event) => decisionOf(event, now)))
        },
      }),
    ],
    projections: [
      projection({
        name: 'totals',
        reads: [booked],
        tables: ['total'],
        fold: async (events, tx) => {
          await tx.query(WRITE_DOWN, [JSON.stringify(linesOf('totals', events))])
          await tx.query(ADD, [JSON.stringify(events.map(({ data }) => data))])
        },
      }),
    ],
  }
}

const WRITE_DOWN = statement(
  'probe.write_down',
  `insert into probe.handled (consumer, event_id, topic, "offset", key, kind, job, timer)
   select consumer, id, topic, "offset", key, kind, job, timer
   from json_to_recordset($1)
     as h (place int, consumer text, id text, topic text, "offset" bigint, key text, kind text, job text, timer text)
   order by place`,
)
const NEW_JOBS = statement(
  'probe.new_jobs',
  `insert into probe.job (job) select distinct job from unnest($1::text[]) as job order by job
   on conflict do nothing returning job`,
)
const ADD = statement(
  'probe.add',
  `insert into probe.total as t (account, amount, entries)
   select account, sum(amount), count(*) from json_to_recordset($1) as e (account text, amount bigint)
   group by account order by account
   on conflict (account) do update set amount = t.amount + excluded.amount, entries = t.entries + excluded.entries`,
)

type Read = EventOf<typeof asked | typeof rang | typeof answered | typeof booked>

function linesOf(consumer: string, events: readonly Read[]) {
  return events.map(({ id, topic, offset, key, data, type, timer }, place) => {
    const kind = 'kind' in data ? String(data.kind) : 'setting' in data ? `rang ${data.setting}` : type
    const firing = timer && `${timer.id}@${timer.generation}`
    return { place, consumer, id, topic, offset: offset.toString(), key, kind, job: data.job, timer: firing }
  })
}

/** `cancel` and `move` name the job whose timer they mean in their own name: `<job>!<n>`. */
function decisionOf(event: EventOf<typeof asked>, now: number): Decision {
  const { job, kind, account, amount } = event.data
  const facts = [follow(event, booked, { job, account, amount }, { key: account })]
  const [of = job] = job.split('!')
  const ring = (setting: string) => follow(event, rang, { job: of, setting }, { part: setting })
  const call = (destination: string, notAfter: number | null): Decision => ({
    facts,
    deliveries: [
      { id: `call_${job}`, destination, key: event.key, payload: { job, notAfter }, notAfter, cause: event },
    ],
  })
  switch (kind) {
    case 'timer':
      return { facts, timers: [{ schedule: { id: `timer_${of}`, at: now + amount, event: ring('first') } }] }
    case 'cancel':
      return { facts, timers: [{ cancel: `timer_${of}` }] }
    case 'move':
      return { facts, timers: [{ schedule: { id: `timer_${of}`, at: now + amount, event: ring('second') } }] }
    case 'call':
      return call('probe.window', null)
    case 'call_once':
      return call('probe.once', null)
    case 'call_soon':
      return call('probe.window', now + 500)
    default:
      return { facts }
  }
}

function join(decisions: readonly Decision[]): Decision {
  return {
    facts: decisions.flatMap(({ facts = [] }) => facts),
    timers: decisions.flatMap(({ timers = [] }) => timers),
    deliveries: decisions.flatMap(({ deliveries = [] }) => deliveries),
  }
}

/** One destination that may be called again, and one that never may. */
export function probeDestinations(fetch: HttpFetch): Destination[] {
  const destination = (name: string, idempotency: Destination['idempotency']): Destination => ({
    name,
    idempotency,
    concurrency: 4,
    attempt: async ({ id, payload, notAfter }, kind) => {
      try {
        const body = JSON.stringify({ id, payload, destination: name, kind })
        const { status } = await fetch({
          method: 'POST',
          url: 'http://probe.test/',
          headers: {},
          body,
          timeoutMs: 1_000,
        })
        if (kind === 'ask') return { kind: 'done', result: status === 200 ? 'done' : 'absent' }
        return status === 200 ? { kind: 'done', result: 'done' } : { kind: 'retry', reason: `status_${status}` }
      } catch (error) {
        if (!(error instanceof FetchFailure)) throw error
        // What must not be called twice, or not late, is over when it may have been called once.
        const isOver = idempotency.kind === 'none' || notAfter !== null
        if (isOver && error.phase === 'after_send') return { kind: 'done', result: 'unknown' }
        return { kind: 'retry', reason: `${error.phase}_${error.reason}` }
      }
    },
    settle: ({ cause, payload, id }, settled) => {
      const { job } = payload as { job: string }
      const outcome = settled.kind === 'done' ? String(settled.result) : settled.kind
      return [follow(cause, answered, { job, outcome }, { part: id })]
    },
  })
  return [
    destination('probe.window', { kind: 'window', windowMs: 24 * 3_600_000 }),
    destination('probe.once', { kind: 'none' }),
  ]
}
