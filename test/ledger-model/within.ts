import type { Change } from './books.ts'
import { isRefusal } from './call.ts'
import type { Placed } from './order.ts'
import { answersOf, type Unwritten } from './windows.ts'

/** There are 2 to the power of it to choose from. */
const UNITS_MAX = 12

/**
 * What may have been decided within a transaction before something that left no trace: each set of the units that touch what
 * its answer is about. Of the others that it depends on, all or none. Weaker than it could be: whether such an order
 * explains the rest as well is not asked again.
 */
export function* choicesOf(units: readonly Placed[], one: Unwritten): Generator<readonly Change[]> {
  const related = units.filter(({ touched }) => touched.some((object) => one.dependsOn.includes(object)))
  const objects = aboutOf(one)
  const isNear = ({ touched }: Placed): boolean => objects.size === 0 || touched.some((object) => objects.has(object))
  const near = related.filter(isNear).slice(0, UNITS_MAX)
  const isOpen = new Set(near)
  const rests = [new Set<Placed>(), new Set(related.filter((unit) => !isOpen.has(unit)))]
  for (const rest of rests) {
    for (let chosen = 0; chosen < 2 ** near.length; chosen++) {
      const isChosen = new Set(near.filter((_, place) => chosen & (1 << place)))
      yield units.filter((unit) => isChosen.has(unit) || rest.has(unit)).flatMap(({ changes }) => changes)
    }
  }
}

/** The accounts that refusals name; empty where there are none. */
function aboutOf(one: Unwritten): Set<string> {
  const names = answersOf(one).flatMap((answer) => (isRefusal(answer) ? (answer.members.account ?? []) : []))
  return new Set(names.map((name) => `amounts ${name}`))
}
