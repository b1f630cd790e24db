type Waiting<Item, Result> = { readonly item: Item } & PromiseWithResolvers<Result>

/**
 * Turns single questions into batches without a delay: a question is asked at once when none is under way, and those
 * that come meanwhile are the next batch. `ask` answers in the order of the items.
 */
export function batched<Item, Result>(
  batchMax: number,
  ask: (items: readonly Item[]) => Promise<readonly Result[]>,
): (item: Item) => Promise<Result> {
  let queue: Waiting<Item, Result>[] = []
  let isAsking = false

  async function drain(): Promise<void> {
    isAsking = true
    // The callers of this very tick join the first batch.
    await Promise.resolve()
    while (queue.length > 0) {
      const batch = queue.slice(0, batchMax)
      queue = queue.slice(batchMax)
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
