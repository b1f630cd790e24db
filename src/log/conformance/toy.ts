import { Type } from 'typebox'
import { statement, type Tx } from '#kernel/database'
import { brandId } from '#kernel/ids'
import { invariant } from '#kernel/invariant'
import {
  type Decision,
  decider,
  type EventOf,
  type EventType,
  eventType,
  follow,
  type Module,
  type NewEvent,
  projection,
  type RecordedEvent,
  type TimerChange,
} from '#log'

const Said = Type.Object({
  n: Type.Integer(),
  text: Type.Optional(Type.String()),
  /** What the decider is to do about it, beside answering. */
  say: Type.Optional(
    Type.Union([Type.Literal('poison'), Type.Literal('alarm'), Type.Literal('cancel'), Type.Literal('hush')]),
  ),
  /** Where the answer goes: another key is another hop. */
  to: Type.Optional(Type.String()),
  at: Type.Optional(Type.Number()),
})

export const asked = eventType({ type: 'toy.asked', topic: 'toy.inbox', schema: Said })
export const hinted = eventType({ type: 'toy.hinted', topic: 'toy.hints', schema: Said })
export const answered = eventType({ type: 'toy.answered', topic: 'toy', schema: Said })
export const rang = eventType({ type: 'toy.rang', topic: 'toy.alarms', schema: Said })

export const ANSWER = 'toy.answer'
export const WATCH = 'toy.watch'

type Asked = EventOf<typeof asked | typeof rang>

/**
 * A module that writes down what it sees, answers what it is asked, sets alarms, and chokes on what `chokesOn`
 * says. What it does it does before it chokes, so a rollback that forgets something shows.
 */
export function toyModule({
  chokesOn = ({ say }) => say === 'poison',
}: {
  chokesOn?: (said: Said) => boolean
} = {}): Module {
  const answer = decider({
    name: 'answer',
    reads: [asked, rang],
    publishes: [answered],
    handle: async (events, { tx }) => {
      await writeDown(tx, ANSWER, events)
      for (const { data } of events) invariant(!chokesOn(data), 'the toy chokes on it')
      return decide(events)
    },
  })
  const watch = projection({
    name: 'watch',
    reads: [asked, hinted, answered, rang],
    tables: ['seen'],
    fold: (events, tx) => writeDown(tx, WATCH, events),
  })
  return {
    name: 'toy',
    summary: 'Writes down what it sees.',
    events: [asked, hinted, answered, rang],
    deciders: [answer],
    projections: [watch],
  }
}

type Said = { n: number; text?: string; say?: 'poison' | 'alarm' | 'cancel' | 'hush'; to?: string; at?: number }

function decide(events: readonly Asked[]): Decision {
  const questions = events.filter(({ type }) => type === asked.type)
  return {
    facts: questions.flatMap((event) => {
      const { n, to, say } = event.data
      return say === 'hush' ? [] : [follow(event, answered, { n }, to === undefined ? {} : { key: to })]
    }),
    timers: questions.flatMap((event): TimerChange[] => {
      const { n, say, at = 0 } = event.data
      if (say === 'cancel') return [{ cancel: `alarm:${event.key}` }]
      if (say === 'alarm') return [{ schedule: { id: `alarm:${event.key}`, at, event: follow(event, rang, { n }) } }]
      return []
    }),
  }
}

const SEE = statement(
  'toy.see',
  'insert into toy.seen (grp, event) select $1, e from json_array_elements($2::json) with ordinality as w (e, n) order by n',
)

export async function writeDown(tx: Tx, group: string, events: readonly RecordedEvent[]): Promise<void> {
  const plain = (_name: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value)
  await tx.query(SEE, [group, JSON.stringify(events, plain)])
}

let sequence = 0

/** A question on a key; ids never repeat. */
export function ask(key: string, data: Said, of: EventType = asked): NewEvent {
  const id = `evt_toy_${++sequence}`
  return {
    id,
    of,
    key,
    tenant: brandId('tenant_a'),
    mode: 'test',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    causationId: null,
    correlationId: id,
    data,
  }
}
