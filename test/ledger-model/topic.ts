import { type Database, statement } from '#kernel/database'
import type { Call, Command } from './call.ts'

/** What the log says of the ledger. Amounts are text, debits above zero. */
export type Fact = {
  readonly type: string
  readonly partition: number
  readonly offset: bigint
  /** Unix milliseconds: when the log took it. */
  readonly time: number
  readonly traceId: string
  readonly data: {
    readonly entry?: string
    readonly source?: string
    readonly effectiveAt?: number
    readonly postings?: readonly { readonly account: string; readonly amount: string; readonly currency: string }[]
    readonly hold?: string
    readonly state?: string
    readonly amount?: string
  }
}

/** All facts of one call, or of the end of one hold by time; they are in one transaction. */
export type Unit = { readonly call: Call | undefined; readonly facts: readonly Fact[] }

/** What was committed together. Of two that touch the same account, the one that comes first here was first. */
export type Batch = { readonly time: number; readonly units: readonly Unit[] }

const READ = statement(
  'ledger_model.read_topic',
  `select position, partition, "offset", type, time, event from log.record
   where topic = 'ledger' order by position, partition, "offset"`,
)
type Row = { position: bigint; partition: number; offset: bigint; type: string; time: Date; event: string }

/** The topic by transactions, in the order in which they took their place on it. */
export async function readTopic(database: Database, calls: readonly Call[]): Promise<Batch[]> {
  const rows = await database.query<Row>(READ)
  const callOf = finder(calls)
  const relevant = rows.filter(({ type }) => type !== 'ledger.account_opened')
  return [...Map.groupBy(relevant, ({ position }) => position).values()].map((ofOne) => {
    const facts = ofOne.map(factOf)
    const units = Map.groupBy(facts, (fact) => callOf(fact) ?? fact.data.hold)
    const unitOf = ([of, own]: [Call | string | undefined, Fact[]]): Unit => {
      return { call: typeof of === 'object' ? of : undefined, facts: own }
    }
    return { time: facts[0]?.time ?? 0, units: [...units].map(unitOf).sort((a, b) => askedAt(a) - askedAt(b)) }
  })
}

/** Who asked for a fact: by what was done first under its id; what has no id of a caller's is found by its trace. */
function finder(calls: readonly Call[]): (fact: Fact) => Call | undefined {
  const byTrace = new Map(calls.map((call) => [call.traceId, call]))
  const byEffect = new Map<string, Call>()
  for (const call of calls) {
    for (const [place, command] of call.asked.commands.entries()) {
      const answer = call.answers[place]
      const isNew = answer && 'isRepeated' in answer && !answer.isRepeated && !call.asked.isDryRun
      if (isNew) for (const effect of effectsOf(command)) byEffect.set(effect, call)
    }
  }
  return ({ type, traceId, data }) => {
    const byItsTrace = byTrace.get(traceId)
    if (type === 'ledger.entry_posted') return byEffect.get(data.source ?? '') ?? byItsTrace
    if (type === 'ledger.hold_placed') return byEffect.get(`hold/${data.hold}`) ?? byItsTrace
    if (type === 'ledger.hold_ended')
      return data.state === 'expired' ? undefined : (byEffect.get(`end/${data.hold}`) ?? byItsTrace)
    return byItsTrace
  }
}

function effectsOf(command: Command): string[] {
  switch (command.kind) {
    case 'entry':
    case 'conversion':
      return [`entry/${command.body.id}`]
    case 'hold':
      return [`hold/${command.body.id}`]
    case 'hold_post':
      return [`entry/${command.body.id}`, `end/${command.hold}`]
    case 'hold_void':
      return [`end/${command.hold}`]
    default:
      return []
  }
}

function factOf({ type, partition, offset, time, event }: Row): Fact {
  const { traceparent, data } = JSON.parse(event)
  return { type, partition, offset, time: time.getTime(), traceId: String(traceparent).slice(3, 35), data }
}

export function isExpiry({ type, data }: Fact): boolean {
  return type === 'ledger.hold_ended' && data.state === 'expired'
}

function askedAt({ call }: Unit): number {
  return call?.askedAt ?? Number.POSITIVE_INFINITY
}
