import { createHash } from 'node:crypto'
import { systemClock } from '#kernel/clock'
import type { Answer, Asked, Call } from './call.ts'
import { chanceOf } from './chance.ts'
import { planner, type Remembered } from './plan.ts'
import type { Platforms } from './platform.ts'
import { send } from './send.ts'

export type Load = {
  readonly seed: string
  readonly operations: number
  readonly clients: number
  /** Commands of the largest bulk request. */
  readonly bulkMax: number
}

/** Clients that each ask, wait for the answer and ask again, half of them of one platform and half of another. */
export async function runClients(platforms: Platforms, { seed, operations, clients, bulkMax }: Load): Promise<Call[]> {
  const remembered: Remembered = { entries: [], holds: [], calls: [], taken: [] }
  const calls: Call[] = []
  let instant = 0
  let left = operations

  const ask = async (client: string, url: string, asked: Asked): Promise<void> => {
    const askedAt = ++instant
    const number = askedAt
    const traceId = createHash('sha256').update(`${seed}\n${number}`).digest('hex').slice(0, 32)
    const answers = await send(platforms, url, asked, traceId)
    remembered.taken.push(...bookedBy(asked, answers))
    calls.push({ number, client, traceId, asked, askedAt, answeredAt: ++instant, answers })
  }
  const live = async (client: string, url: string): Promise<void> => {
    const plan = planner(client, chanceOf(seed, client), remembered, bulkMax)
    while (left > 0) {
      const asked = plan.next(systemClock.now())
      left -= asked.commands.length
      await ask(client, url, asked)
    }
  }
  await Promise.all(
    Array.from({ length: clients }, (_, n) => live(`c${n}`, platforms.urls[n % platforms.urls.length] ?? '')),
  )
  return calls
}

function bookedBy({ commands, isDryRun }: Asked, answers: readonly Answer[]): string[] {
  if (isDryRun) return []
  return commands.flatMap((command, place) => {
    const isBooked = command.kind === 'entry' && answers[place]?.code === 'done'
    return isBooked ? [command.body.id] : []
  })
}
