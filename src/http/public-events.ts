import type { Module } from '#log'

/**
 * Topics whose events a tenant may read: facts, not inboxes or what gateways said. In this order they stand in the
 * places of `GET /v1/events`: new ones go to the end, and none goes away.
 */
export const publicTopics = ['payments', 'payouts', 'ledger', 'webhooks'] as const

export function publicTypes(modules: readonly Module[]): string[] {
  const topics: readonly string[] = publicTopics
  return modules
    .flatMap(({ events }) => events)
    .filter(({ topic }) => topics.includes(topic))
    .map(({ type }) => type)
    .sort()
}

/** `payment.captured, payment.*`: a star stands for the rest. Undefined where one of them is no public type. */
export function typeFilter(text: string | undefined, types: readonly string[]): ReadonlySet<string> | undefined {
  if (text === undefined) return new Set(types)
  const wanted = text.split(',').map((pattern) => {
    const prefix = pattern.trim().replace(/\*$/, '')
    return types.filter((type) => (pattern.trim().endsWith('*') ? type.startsWith(prefix) : type === prefix))
  })
  return wanted.some((some) => some.length === 0) ? undefined : new Set(wanted.flat())
}
