/** The simulated gateway, in a process of its own: what it costs is not the platform's. */
import { startSimulatedGateway } from '#gateways/simulated'
import { systemClock } from '#kernel/clock'
import { systemRandom } from '#kernel/random'
import { answer } from '../child.ts'

/** First where to send webhooks, with what secret; then anything, for the CPU used so far. */
export type SimulatorQuestion =
  | { readonly webhookSecret: string }
  | { readonly webhookUrl: string }
  | { readonly cpu: true }
export type SimulatorAnswer = { readonly url: string; readonly cpuUs: number }

let webhookUrl = ''
let url = ''

answer(async (question: SimulatorQuestion): Promise<SimulatorAnswer> => {
  if ('webhookUrl' in question) webhookUrl = question.webhookUrl
  if ('webhookSecret' in question) {
    const { webhookSecret } = question
    const gateway = await startSimulatedGateway({
      clock: systemClock,
      random: systemRandom,
      webhookUrl: () => webhookUrl,
      webhookSecret,
    })
    url = gateway.url
  }
  const { user, system } = process.cpuUsage()
  return { url, cpuUs: user + system }
})
