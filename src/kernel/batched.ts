type Waiting<Item, Result> = { readonly item: Item } & PromiseWithResolvers<Result>

/**
 * Turns single questions into batches without a delay: a question is asked at once when none is under way, and those
 * that come meanwhile are the next batch. `ask` answers in the order of the items. A batch weighs no more than `batchMax`,
 * or is of one item; each weighs one unless `weightOf` says otherwise.
 */
export function batched<Item, Result>(
  batchMax: number,
  ask: (items: readonly Item[]) => Promise<readonly Result[]>,
  weightOf: (item: Item) => number = () => 1,
): (item: Item) => Promise<Result> {
  let queue: Waiting<Item, Result>[] = []
  let isAsking = false

  async function drain(): Promise<void> {
    isAsking = true
    // The callers of this very tick join the first batch.
    await Promise.resolve()
    while (queue.length > 0) {
      const count = fitting(queue, batchMax, weightOf)
      const batch = queue.slice(0, count)
      queue = queue.slice(count)
      await settle(batch, ask)
    }
    isAsking = false
  }

  return (item) => {
    const waiting = { item, ...Promise.withResolvers<Result>() }
    queue.push(waiting)
    // Never rejects: each batch hands its failure to those who wait for it.
    if (!isAsking) void drain()
    return waiting.promise
  }
}

function fitting<Item>(queue: readonly { readonly item: Item }[], max: number, weightOf: (item: Item) => number) {
  let weight = 0
  const tooHeavy = queue.findIndex(({ item }) => {
    weight += weightOf(item)
    return weight > max
  })
  return tooHeavy === -1 ? queue.length : Math.max(1, tooHeavy)
}

async function settle<Item, Result>(
  batch: readonly Waiting<Item, Result>[],
  ask: (items: readonly Item[]) => Promise<readonly Result[]>,
): Promise<void> {
  try {
    const results = await ask(batch.map(({ item }) => item))
    for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result)
  } catch (error) {
    for (const { reject } of batch) reject(error)
  }
}
