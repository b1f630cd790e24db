import { enqueue } from '#delivery'
import type { Database, Tx } from '#kernel/database'
import { brandId, type Mode, type TenantId } from '#kernel/ids'
import type { Random } from '#kernel/random'
import { factsTransaction } from '#log'
import { endpointCaughtUp } from './events.ts'
import { deliveryOf } from './fan-out.ts'
import { destinationOf } from './message-id.ts'
import { occurrence } from './occurrence.ts'
import * as sql from './sql/messages.ts'

/** Messages handed over in one transaction. */
const CHUNK = 1_000

type Of = { readonly id: string; readonly tenant: string; readonly mode: Mode }
export type CatchUpPorts = { readonly database: Database; readonly random: Random; readonly backlogMax: number }

/**
 * Hands over what waits in the stream of an endpoint that was behind, as far as there is room for it. Not before half
 * of its backlog is done, so that it is not let in and out by the single message. Returns whether anything was.
 */
export async function catchUp(endpoint: Of, { database, random, backlogMax }: CatchUpPorts): Promise<boolean> {
  let isAny = false
  for (;;) {
    const pushed = await factsTransaction(database, async (tx) => {
      const result = await pushChunk(tx, endpoint, isAny ? 1 : Math.ceil(backlogMax / 2), backlogMax)
      const isLevel = result !== undefined && result.upTo === result.last
      const facts = isLevel ? [occurrence(endpointCaughtUp, endpoint, { sequence: result.last }, { random })] : []
      return { result, facts }
    })
    if (!pushed) return isAny
    isAny = true
    if (pushed.upTo === pushed.last) return true
  }
}

/** Under the position's lock, so that what the fan-out writes meanwhile comes after. Undefined: there is no room, or no need. */
async function pushChunk(tx: Tx, { id, tenant, mode }: Of, roomMin: number, backlogMax: number) {
  const position = await sql.lockPosition(tx, id, destinationOf(id))
  if (!position || position.pushed >= position.last) return undefined
  const { last, pushed, backlog, round } = position
  const room = backlogMax - backlog
  if (room < Math.min(roomMin, last - pushed)) return undefined
  const messages = await sql.messagesAfter(tx, id, pushed, Math.min(CHUNK, room))
  const whose = { tenant: brandId<TenantId>(tenant), mode }
  await enqueue(
    tx,
    messages.map((message) => deliveryOf(message, whose, round)),
  )
  const upTo = messages.at(-1)?.sequence ?? pushed
  await sql.setPushed(tx, { endpoint: id, pushed: upTo, added: messages.length, round })
  return { upTo, last }
}
