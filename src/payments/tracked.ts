/** What is known of one gateway object, grown by join only: nothing in it is ever taken back. */
export type Tracked<Status extends string> = {
  readonly account: string
  readonly id: string
  /** Gateway objects of the same payment that it named, sorted. */
  readonly parents: readonly string[]
  /** Sorted; amounts are in the last one. A gateway that names two contradicts itself. */
  readonly currencies: readonly string[]
  readonly amount: number
  /** Every status ever reported, lowest rank first. */
  readonly statuses: readonly Status[]
  readonly verdict: Verdict<Status> | null
}

/** What the gateway answered when asked about a contradiction. Void as soon as more has been seen. */
export type Verdict<Status extends string> = { readonly seen: number; readonly status: Status }

/** The status that counts: the gateway's verdict while it covers all that was seen, else the highest rank. */
export function current<Status extends string>(object: Tracked<Status>): Status | undefined {
  const { verdict, statuses } = object
  return verdict !== null && verdict.seen === seenBy(object) ? verdict.status : statuses.at(-1)
}

export function currencyOf(object: Tracked<string>): string {
  return object.currencies.at(-1) ?? ''
}

/** How much has been seen; grows whenever a status or a currency is new. */
export function seenBy(object: Tracked<string>): number {
  return object.statuses.length + object.currencies.length
}

export function track<Status extends string>(
  account: string,
  report: { id: string; parents: readonly string[]; amount: number; currency: string },
  statuses: readonly Status[],
): Tracked<Status> {
  const { id, parents, amount, currency } = report
  return { account, id, parents: union(parents, []), currencies: [currency], amount, statuses, verdict: null }
}

/** Commutative, associative and idempotent. `order` lists the statuses, lowest rank first. */
export function joinTracked<Status extends string>(
  one: Tracked<Status>,
  other: Tracked<Status>,
  order: readonly Status[],
): Tracked<Status> {
  return {
    account: one.account,
    id: one.id,
    parents: union(one.parents, other.parents),
    currencies: union(one.currencies, other.currencies),
    amount: joinAmounts(one, other, one.amount, other.amount),
    statuses: order.filter((status) => one.statuses.includes(status) || other.statuses.includes(status)),
    verdict: joinVerdicts(one.verdict, other.verdict, order),
  }
}

/**
 * The greater amount. Amounts in two currencies cannot be compared: then the currency that sorts last
 * keeps its own, whichever came first, so that the order of arrival does not matter.
 */
export function joinAmounts(one: Tracked<string>, other: Tracked<string>, mine: number, theirs: number): number {
  const [ours, its] = [currencyOf(one), currencyOf(other)]
  if (ours === its) return Math.max(mine, theirs)
  return ours > its ? mine : theirs
}

export function union(one: readonly string[], other: readonly string[]): string[] {
  if (one.length < 2 && other.length === 0) return [...one]
  return [...new Set([...one, ...other])].sort()
}

/** The verdict that had seen more; between two that had seen as much, the higher rank. */
function joinVerdicts<Status extends string>(
  one: Verdict<Status> | null,
  other: Verdict<Status> | null,
  order: readonly Status[],
): Verdict<Status> | null {
  if (one === null || other === null) return one ?? other
  if (one.seen !== other.seen) return one.seen > other.seen ? one : other
  return order.indexOf(one.status) >= order.indexOf(other.status) ? one : other
}
