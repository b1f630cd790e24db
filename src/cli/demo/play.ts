import { check } from './check.ts'
import { sendCorpus } from './corpus.ts'
import { heal, interrupt, subscribe } from './endpoint.ts'
import type { Section } from './findings.ts'
import { liveOn } from './later.ts'
import { reportLineages } from './lineages.ts'
import { payOut, readSettlements } from './payouts.ts'
import { planRequests } from './plan.ts'
import { sendRequests } from './requests.ts'
import { untilQuiet, untilSettled } from './settle.ts'
import type { Stage } from './stage.ts'
import { carryWebhooks } from './webhooks.ts'

export type Play = {
  readonly stage: Stage
  readonly payments: number
  readonly corpus: readonly string[]
  readonly corpusSecret: string
}

/** A machine that is busy with something else must not fail the demo. */
const LIMIT_MS = 45_000
const LIMIT_MS_A_PAYMENT = 40

/** Plays all of it, waits for the end, and compares. */
export async function play({ stage, payments, corpus, corpusSecret }: Play): Promise<Section[]> {
  const { acquirer, receiver, shop, random } = stage
  const limitMs = LIMIT_MS + payments * LIMIT_MS_A_PAYMENT
  stage.progress('planning')
  const plan = planRequests(random, payments)
  const reported = reportLineages(shop, random, payments)
  const endpoint = await subscribe(stage, receiver)

  const [{ answers, afterwards, noon }, carried, awayMs] = await Promise.all([
    sendAndLiveOn(stage, plan, limitMs),
    carryWebhooks(stage, () => untilQuiet(stage, limitMs)),
    // There are several messages a payment: this is in the middle of the day.
    interrupt(stage, receiver, payments, limitMs),
  ])
  const sent = corpus.length > 0 ? await sendCorpus(stage, corpus, corpusSecret) : undefined

  const isDecided = await untilSettled(stage, limitMs)
  stage.progress('paying out')
  const settled = await readSettlements(stage, [...noon, ...payOut(stage)])
  stage.progress('waiting for the last webhooks')
  await acquirer.idle()
  const isQuiet = await untilSettled(stage, limitMs)
  const heard = await heal(stage, receiver.tally, endpoint, awayMs)
  const isSettled = isDecided && isQuiet
  return check(stage, { answers, afterwards, reported, carried, heard, settled, corpus: sent, isSettled })
}

/** The acquirer pays out twice: at noon, when all is sold, and in the evening, after what was given back. */
async function sendAndLiveOn(stage: Stage, plan: ReturnType<typeof planRequests>, limitMs: number) {
  const answers = await sendRequests(stage, plan)
  const noon = payOut(stage)
  return { answers, noon, afterwards: await liveOn(stage, answers, limitMs) }
}
