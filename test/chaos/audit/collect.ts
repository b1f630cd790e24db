import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import type { Load } from '../load/load.ts'
import type { Struck } from '../ordeal.ts'
import type { World } from '../world.ts'
import type { Evidence, Finding, GatewayPayment, ReceiverStory, Told } from './evidence.ts'
import { canariesBelow } from './files.ts'
import { found } from './found.ts'
import { askAboutAll, askAboutGateway } from './questions.ts'
import { knownOperations, knownPayments, lastSequence, loggedFacts, tracedEntries } from './tables.ts'

const TRACED = 200
/** A clock that is off by less lets no payment expire that has a quarter of an hour. */
const CLOCK_MATTERS_MS = 10 * 60_000

/** Gathers what everybody knows, once all is quiet. What the outside says stays as files in the run's directory. */
export async function collect(about: {
  readonly world: World
  readonly load: Load
  readonly followed: Told
  readonly struck: readonly Struck[]
  readonly others: readonly Finding[]
}): Promise<Evidence> {
  const { world, load, followed, struck, others } = about
  const { journal } = load
  const database = new Client({ connectionString: world.server.url })
  await database.connect()
  try {
    const known = await knownPayments(database)
    const ours = [...known.values()].filter(({ isOurs }) => isOurs).map(({ id }) => id)
    const gateway = await gatewayBooks(world, [...new Set([...ours, ...journal.payments.keys()])])
    const whole = [
      ...(await askAboutAll(database)),
      ...(await askAboutGateway(database, await world.gateway.ask('state', null))),
      ...canariesBelow(world.directory),
      ...crashes(world),
      ...others,
    ]
    return {
      asked: [...journal.payments.values()],
      operations: [...journal.operations.values()],
      reported: journal.reports,
      gateway,
      known,
      knownOperations: await knownOperations(database),
      log: await loggedFacts(database),
      receivers: await receiverStories(world, database),
      followed,
      traced: await tracedEntries(database, TRACED),
      wrongClocks: struck.flatMap(({ fault, startedAt, endedAt }) =>
        fault.kind === 'clock stepped' && Math.abs(fault.byMs) >= CLOCK_MATTERS_MS
          ? [{ from: startedAt, to: endedAt }]
          : [],
      ),
      broken: journal.broken,
      whole,
    }
  } finally {
    await database.end()
  }
}

/** Payments that shop's webhooks told of are unknown to this gateway; it is asked about those it was called for. */
async function gatewayBooks(world: World, references: readonly string[]): Promise<Map<string, GatewayPayment>> {
  const path = join(world.directory, 'gateway.jsonl')
  await world.gateway.ask('dump', { path, references })
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean)
  const held = lines.map((line): GatewayPayment => JSON.parse(line))
  return new Map(held.map((payment) => [payment.reference, payment]))
}

async function receiverStories({ receivers, endpoints, directory }: World, database: Client): Promise<ReceiverStory[]> {
  const stories: ReceiverStory[] = []
  for (const [receiver, { id, name, types }] of endpoints.entries()) {
    const path = join(directory, `receiver-${receiver + 1}.json`)
    await receivers.ask('dump', { path, receiver, last: await lastSequence(database, id) })
    const story: Omit<ReceiverStory, 'name' | 'types'> = JSON.parse(readFileSync(path, 'utf8'))
    stories.push({ ...story, name, types })
  }
  return stories
}

function crashes({ nodes }: World): Finding[] {
  const cases = nodes.flatMap(({ process }) =>
    process.crashes() > 0 ? [`${process.name}: ${process.crashes()} times, see its log`] : [],
  )
  return found('Isolated', 'processes that ended by themselves', cases)
}
