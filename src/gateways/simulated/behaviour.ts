/** What the simulated gateway does with a payment, chosen by its payment method. */
export type Behaviour =
  | { readonly kind: 'approve' }
  | { readonly kind: 'decline'; readonly code: string }
  | { readonly kind: 'timeout_after_charge' }
  | { readonly kind: 'timeout_before_charge' }
  | { readonly kind: 'error_500' }
  | { readonly kind: 'slow'; readonly ms: number }
  | { readonly kind: 'webhook_first' }
  | { readonly kind: 'duplicate_webhooks' }

const named: ReadonlyMap<string, Behaviour> = new Map<string, Behaviour>([
  ['pm_sim_decline', { kind: 'decline', code: 'generic_decline' }],
  ['pm_sim_timeout_after_charge', { kind: 'timeout_after_charge' }],
  ['pm_sim_timeout_before_charge', { kind: 'timeout_before_charge' }],
  ['pm_sim_error_500', { kind: 'error_500' }],
  ['pm_sim_webhook_first', { kind: 'webhook_first' }],
  ['pm_sim_duplicate_webhooks', { kind: 'duplicate_webhooks' }],
])

const slowMsMax = 600_000

/** `pm_sim_decline_insufficient_funds` declines for that reason, `pm_sim_slow_250` waits so long; all unknown approve. */
export function behaviourOf(paymentMethod: string | null): Behaviour {
  const token = paymentMethod ?? ''
  const code = /^pm_sim_decline_([a-z0-9_]{1,64})$/.exec(token)?.[1]
  if (code !== undefined) return { kind: 'decline', code }
  const ms = /^pm_sim_slow_(\d{1,6})$/.exec(token)?.[1]
  if (ms !== undefined) return { kind: 'slow', ms: Math.min(Number(ms), slowMsMax) }
  return named.get(token) ?? { kind: 'approve' }
}
