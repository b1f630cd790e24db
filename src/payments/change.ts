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
}

/** The differences between what is booked and what should be. None when they agree. */
export function changes(booked: Booked, movements: readonly Movement[]): Change[] {
  const wanted = new Set<string>(movements.map(({ key }) => key))
  const gone = Object.values(booked).filter(({ key }) => !wanted.has(key))
  return [...movements, ...gone.map((past) => ({ ...past, amount: 0 }))].flatMap((target) => {
    const { key, kind, object, account, amount, currency } = target
    const past = booked[key]
    const delta = amount - (past?.amount ?? 0)
    return delta === 0 ? [] : [{ key, kind, object, account, delta, currency, revision: (past?.revision ?? 0) + 1 }]
  })
}

/** The books with these changes booked. A key whose amount is back at zero stays, for its revision. */
export function book(booked: Booked, changed: readonly Change[]): Booked {
  const entries = changed.map(({ delta, ...about }): [MovementKey, BookedMovement] => [
    about.key,
    { ...about, amount: (booked[about.key]?.amount ?? 0) + delta },
  ])
  return { ...booked, ...Object.fromEntries(entries) }
}
