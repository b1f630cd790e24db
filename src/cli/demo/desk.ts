import { isObject, textAt } from '#gateways/stripe'
import { post, type Stage } from './stage.ts'

export type OperationCall = 'capture' | 'cancel' | 'refund'

type Body = { readonly amount?: number; readonly reason?: string }

type Plan = {
  /** Asked again under this key. Without one, the operation has a key of its own. */
  readonly key?: string
  readonly isRepeated?: boolean
  /** By whomever: the door, the platform behind it, or the gateway. */
  readonly isRefused?: boolean
}

export type AskedOperation = {
  readonly payment: string
  readonly call: OperationCall
  /** Minor units; undefined for all there is. */
  readonly amount: number | undefined
}

/** What was asked for, and what the door answered, counted where it was asked. */
export type Told = {
  readonly asked: number
  /** Operations the door accepted, by id. */
  readonly operations: ReadonlyMap<string, AskedOperation>
  readonly repeats: number
  readonly repeatsPlanned: number
  /** Turned away at the door (409, 422). */
  readonly refused: number
  /** Planned to be refused, at the door or later. */
  readonly refusalsPlanned: number
  /** Everything else: there should be none. */
  readonly unexpected: number
}

export type Desk = ReturnType<typeof openDesk>

const PATHS = { capture: 'capture', cancel: 'cancel', refund: 'refunds' } as const satisfies Record<
  OperationCall,
  string
>
/** Decided operations are answered for at once; the others when the time is up. */
const PREFER = 'wait=5'

/** Asks for operations over HTTP, as a merchant's back office would. */
export function openDesk(stage: Stage) {
  const operations = new Map<string, AskedOperation>()
  const count = { asked: 0, repeats: 0, repeatsPlanned: 0, refused: 0, refusalsPlanned: 0, unexpected: 0 }

  return {
    async ask(payment: string, call: OperationCall, body: Body, plan: Plan = {}): Promise<void> {
      count.asked += 1
      if (plan.isRepeated) count.repeatsPlanned += 1
      if (plan.isRefused) count.refusalsPlanned += 1
      const headers = {
        authorization: `Bearer ${stage.apiKey}`,
        'idempotency-key': plan.key ?? `${call} ${count.asked}`,
        prefer: PREFER,
      }
      const answer = await post(stage, `/v1/payments/${payment}/${PATHS[call]}`, JSON.stringify(body), headers)
      const id = idIn(answer.body)
      if (answer.status >= 200 && answer.status <= 202 && id !== undefined) {
        if (operations.has(id)) count.repeats += 1
        operations.set(id, { payment, call, amount: body.amount })
      } else if (answer.status === 409 || answer.status === 422) count.refused += 1
      else count.unexpected += 1
    },
    told: (): Told => ({ operations, ...count }),
  }
}

function idIn(body: string): string | undefined {
  const answer: unknown = JSON.parse(body)
  return isObject(answer) ? textAt(answer, 'id') : undefined
}
