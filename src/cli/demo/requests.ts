import { isObject, textAt } from '#gateways/stripe'
import type { PlannedRequest } from './plan.ts'
import { each, post, type Stage } from './stage.ts'

/** What the door answered, counted where it was asked. */
export type Answers = {
  readonly sent: number
  /** Payments answered with 202, by id. */
  readonly accepted: ReadonlyMap<string, PlannedRequest>
  /** 202s that named a payment which had had one before. */
  readonly repeats: number
  readonly repeatsPlanned: number
  readonly conflicts: number
  readonly refused: number
  /** How many were planned to ask for something else under their key. */
  readonly conflictsPlanned: number
  /** Everything else: there should be none. */
  readonly unexpected: number
}

const AT_ONCE = 24
/** Sends all of them over HTTP, as clients would. */
export async function sendRequests(stage: Stage, plan: readonly PlannedRequest[]): Promise<Answers> {
  const accepted = new Map<string, PlannedRequest>()
  const count = { sent: 0, repeats: 0, conflicts: 0, refused: 0, unexpected: 0 }

  const send = async (planned: PlannedRequest, amount: number): Promise<void> => {
    count.sent += 1
    const headers = { authorization: `Bearer ${stage.apiKey}`, 'idempotency-key': planned.key }
    const { status, body } = await post(stage, '/v1/payments', JSON.stringify({ ...planned.body, amount }), headers)
    const id = idIn(body)
    if (status === 202 && id !== undefined) {
      if (accepted.has(id)) count.repeats += 1
      accepted.set(id, planned)
    } else if (status === 409) count.conflicts += 1
    else if (status === 422) count.refused += 1
    else count.unexpected += 1
    if (count.sent % 20 === 0) stage.progress(`requests ${count.sent}`)
  }

  await each(plan, AT_ONCE, async (planned) => {
    const { amount } = planned.body
    await send(planned, amount)
    if (planned.again === 'same') await send(planned, amount)
    if (planned.again === 'other') await send(planned, amount + 1)
  })
  const planned = (what: PlannedRequest['again']) => plan.filter(({ again }) => again === what).length
  return { accepted, repeatsPlanned: planned('same'), conflictsPlanned: planned('other'), ...count }
}

function idIn(body: string): string | undefined {
  const answer: unknown = JSON.parse(body)
  return isObject(answer) ? textAt(answer, 'id') : undefined
}
