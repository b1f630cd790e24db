import type { Edge } from './dependencies.ts'

/** Operations that come before each other, in a circle; of each the way to the next. */
export type Cycle = readonly { readonly from: number; readonly edge: Edge }[]

/** Looked for in one knot of operations; a knot that has one cycle has many. */
const STARTS_MAX = 200

/** For each knot of operations that all come before each other the shortest circle that was found. */
export function cyclesIn(edges: readonly (readonly Edge[])[], isUsed: (edge: Edge) => boolean = () => true): Cycle[] {
  const used = edges.map((of) => of.filter(isUsed))
  return knotsIn(used).map((knot) => shortestIn(used, new Set(knot)))
}

function shortestIn(edges: readonly (readonly Edge[])[], knot: ReadonlySet<number>): Cycle {
  let shortest: Cycle = []
  for (const start of [...knot].slice(0, STARTS_MAX)) {
    const cycle = wayBack(edges, knot, start)
    if (cycle.length > 0 && (shortest.length === 0 || cycle.length < shortest.length)) shortest = cycle
    if (shortest.length === 2) break
  }
  return shortest
}

/** Breadth first: the first way found is as short as any. */
function wayBack(edges: readonly (readonly Edge[])[], knot: ReadonlySet<number>, start: number): Cycle {
  const came = new Map<number, { from: number; edge: Edge }>()
  const queue = [start]
  for (let at = 0; at < queue.length; at++) {
    const from = queue[at] ?? start
    for (const edge of edges[from] ?? []) {
      if (!knot.has(edge.to) || came.has(edge.to)) continue
      came.set(edge.to, { from, edge })
      if (edge.to === start) return unwound(came, start)
      queue.push(edge.to)
    }
  }
  return []
}

function unwound(came: ReadonlyMap<number, { from: number; edge: Edge }>, start: number): Cycle {
  const way: { from: number; edge: Edge }[] = []
  let here = start
  do {
    const step = came.get(here)
    if (!step) return []
    way.unshift(step)
    here = step.from
  } while (here !== start)
  return way
}

/** Tarjan's strongly connected components of more than one, without recursion: a history is deeper than the stack. */
function knotsIn(edges: readonly (readonly Edge[])[]): number[][] {
  const order = new Map<number, number>()
  const low: number[] = []
  const stack: number[] = []
  const isStacked = new Set<number>()
  const knots: number[][] = []
  for (const root of edges.keys()) {
    if (order.has(root)) continue
    const work = [{ node: root, next: 0 }]
    for (let frame = work.at(-1); frame; frame = work.at(-1)) {
      const { node } = frame
      if (frame.next === 0) {
        low[node] = order.size
        order.set(node, order.size)
        stack.push(node)
        isStacked.add(node)
      }
      const edge = edges[node]?.[frame.next++]
      if (edge && !order.has(edge.to)) work.push({ node: edge.to, next: 0 })
      else if (edge && isStacked.has(edge.to)) low[node] = Math.min(low[node] ?? 0, order.get(edge.to) ?? 0)
      if (edge) continue
      work.pop()
      const above = work.at(-1)
      if (above) low[above.node] = Math.min(low[above.node] ?? 0, low[node] ?? 0)
      if (low[node] !== order.get(node)) continue
      const knot = stack.splice(stack.lastIndexOf(node))
      for (const one of knot) isStacked.delete(one)
      if (knot.length > 1) knots.push(knot)
    }
  }
  return knots
}
