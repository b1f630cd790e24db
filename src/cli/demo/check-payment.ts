import { isObject, type JsonObject, textAt, valueAt } from '#gateways/stripe'
import { type Held, heldUnder, refundedOf, statusOf } from './held.ts'
import type { PlannedRequest } from './plan.ts'
import { each, getJson, type Stage } from './stage.ts'

export type ShownOperation = { readonly id: string; readonly call: string; readonly status: string }

/** A payment as the platform shows it, beside what the gateway holds of it. */
export type LookedAt = {
  readonly planned: PlannedRequest
  readonly held: Held
  readonly status: string
  readonly expected: string
  /** Whether status, what was captured and what was refunded are as at the gateway. */
  readonly isRight: boolean
  readonly operations: readonly ShownOperation[]
}

const AT_ONCE = 8

/** Asks both about every payment. */
export async function lookAt(stage: Stage, accepted: ReadonlyMap<string, PlannedRequest>): Promise<LookedAt[]> {
  const found: LookedAt[] = []
  await each([...accepted], AT_ONCE, async ([id, planned]) => {
    const [shown, held] = await Promise.all([getJson(stage, `/v1/payments/${id}`), heldUnder(stage, id)])
    found.push(beside(planned, isObject(shown) ? shown : {}, held))
    if (found.length % 20 === 0) stage.progress(`comparing payment ${found.length} of ${accepted.size}`)
  })
  return found
}

function beside(planned: PlannedRequest, shown: JsonObject, held: Held): LookedAt {
  const status = textAt(shown, 'status') ?? 'none'
  const expected = statusOf(held)
  const isRight =
    status === expected &&
    valueAt(shown, 'captured') === held.captured &&
    valueAt(shown, 'refunded') === refundedOf(held.refunds)
  const operations = valueAt(shown, 'operations')
  return {
    planned,
    held,
    status,
    expected,
    isRight,
    operations: (Array.isArray(operations) ? operations.filter(isObject) : []).map((operation) => ({
      id: textAt(operation, 'id') ?? '',
      call: textAt(operation, 'call') ?? '',
      status: textAt(operation, 'status') ?? '',
    })),
  }
}
