import type { Booked, BookedMovement, Movement, MovementKey, MovementKind } from './state.ts'

/** What has to be booked so that the books show a movement as it is known now. */
export type Change = {
  readonly key: MovementKey
  readonly kind: MovementKind
  readonly object: string
  readonly account: string
  /** Never zero; negative where less has moved than was booked. */
  readonly delta: number
  readonly currency: string
  /** 1, 2, 3 … for each key, without gaps: key and revision name the booking. */
  readonly revision: number
  /** What each of the request's splits has of it; absent: all of it is the merchant's. */
  readonly parts?: readonly number[]
}

/** The differences between what is booked and what should be. None when they agree. */
export function changes(booked: Booked, movements: readonly Movement[]): Change[] {
  const gone = Object.values(booked).filter(({ key }) => !movements.some((movement) => movement.key === key))
  return [...movements, ...gone.map((past) => ({ ...past, amount: 0 }))].flatMap((target) => {
    const { key, kind, object, account, amount, currency } = target
    const past = booked[key]
    const delta = amount - (past?.amount ?? 0)
    return delta === 0 ? [] : [{ key, kind, object, account, delta, currency, revision: (past?.revision ?? 0) + 1 }]
  })
}

/** The books with these changes booked. A key whose amount is back at zero stays, for its revision. */
export function book(booked: Booked, changed: readonly Change[]): Booked {
  if (changed.length === 0) return booked
  const after: Record<MovementKey, BookedMovement> = { ...booked }
  for (const { delta, parts, ...about } of changed) {
    const past = after[about.key]
    const amount = (past?.amount ?? 0) + delta
    after[about.key] = { ...about, amount, ...partsAfter(past?.parts, parts) }
  }
  return after
}

function partsAfter(past: readonly number[] | undefined, added: readonly number[] | undefined) {
  if (!past && !added) return {}
  const [one, other] = [past ?? [], added ?? []]
  const longer = one.length > other.length ? one : other
  return { parts: longer.map((_, place) => (one[place] ?? 0) + (other[place] ?? 0)) }
}
