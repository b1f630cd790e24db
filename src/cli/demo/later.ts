import { isObject, textAt } from '#gateways/stripe'
import { openDesk, type Told } from './desk.ts'
import { heldUnder } from './held.ts'
import type { Answers } from './requests.ts'
import { each, getJson, type Stage, until } from './stage.ts'
import { tell } from './stories.ts'

export type Afterwards = {
  readonly told: Told
  /** Payments that did not come to the state in which something could be done with them. */
  readonly stuck: number
}

const AT_ONCE = 16

/** Captures, cancels, refunds and disputes what was taken or held, each payment as planned. */
export async function liveOn(stage: Stage, { accepted }: Answers, limitMs: number): Promise<Afterwards> {
  const desk = openDesk(stage)
  let [done, stuck] = [0, 0]
  const planned = [...accepted].flatMap(([payment, { later, body }]) =>
    later === undefined ? [] : [{ payment, later, amount: body.amount }],
  )
  await each(planned, AT_ONCE, async ({ payment, later, amount }) => {
    if (!(await until(stage, limitMs, () => isTaken(stage, payment)))) {
      stuck += 1
      return
    }
    const refunded = () => until(stage, limitMs, async () => (await heldUnder(stage, payment)).refunds.length > 0)
    await tell(later, { payment, amount, desk, acquirer: stage.acquirer, refunded })
    done += 1
    if (done % 10 === 0) stage.progress(`captures, refunds, disputes: ${done} of ${planned.length}`)
  })
  return { told: desk.told(), stuck }
}

async function isTaken(stage: Stage, payment: string): Promise<boolean> {
  const shown = await getJson(stage, `/v1/payments/${payment}`)
  const status = isObject(shown) ? textAt(shown, 'status') : undefined
  return status === 'captured' || status === 'authorized'
}
