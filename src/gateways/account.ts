import type { Mode } from '#kernel/ids'

/** One account at one gateway, as configured. Its name is in events, ledger accounts and the webhook's address. */
export type GatewayAccount = {
  readonly name: string
  readonly gateway: 'stripe' | 'simulated'
  readonly tenant: string
  readonly mode: Mode
  /** Merchant of payments that start at the gateway, not here. */
  readonly merchant: string
  /** All that may sign a webhook now: two while a secret is being rotated. */
  readonly webhookSecrets: readonly string[]
  /** Where calls go; an account without one only reports. */
  readonly url?: string
  readonly apiKey?: string
}
