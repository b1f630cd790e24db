import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { act, cure, openQueue, type Queue, type Turns } from '#harness/parked-queue'
import { ANSWER } from './conformance/toy.ts'

// What people do about parked events, at any moment between arrivals, batches and retries, keeps the order of each key, loses
// nothing and does nothing twice: played at random against a model, and with two processes at once against the claims
// themselves. The test takes each turn of the loops, so that a sequence that fails is short and comes again.

type Deed =
  | { do: 'append'; isPoison: boolean }
  | { do: 'retry' }
  | { do: 'edit'; place: number }
  | { do: 'discard'; place: number }
  | { do: 'turn'; batch: number }

const place = fc.nat({ max: 3 })
const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('append' as const), isPoison: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constant({ do: 'retry' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('edit' as const), place }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('discard' as const), place }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('turn' as const), batch: fc.integer({ min: 1, max: 5 }) }) },
)

let lives = 0

test('any sequence of arrivals, retries, edits and discards leaves what a queue on paper has', async (t) => {
  const queue = await openQueue(t)
  const turns = await queue.join('one')
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { maxLength: 16 }), async (deeds) => {
      const key = `life ${++lives}`
      const paper = onPaper()
      for (const one of deeds) {
        const [told, expected] = [await doIt(queue, turns, key, one, paper.appended), paper.apply(one)]
        assert.equal(told, expected, JSON.stringify(one))
      }
      await turns.take(5)
      paper.apply({ do: 'turn', batch: 5 })
      assert.deepEqual(await queue.seen(key), paper.seen)
      assert.deepEqual(
        (await queue.parked(key)).map(({ n }) => n),
        paper.queue.map(({ n }) => n),
      )
      assert.equal(await queue.isParked(key), paper.queue.length > 0)
    }),
    { numRuns: 30 },
  )
})

/** Does it to the real queue; what it came to, where that can be told. */
async function doIt(queue: Queue, turns: Turns, key: string, deed: Deed, n: number): Promise<string> {
  const at = async (place: number) => (await queue.parked(key))[place]?.id ?? 'evt_none'
  switch (deed.do) {
    case 'append':
      await queue.append(key, n, deed.isPoison)
      return 'done'
    case 'turn':
      await turns.take(deed.batch)
      return 'done'
    case 'retry': {
      const retried = await queue.redrive.retry({ group: ANSWER, key }, act)
      await turns.retry()
      return retried.length > 0 ? 'done' : 'not_parked'
    }
    case 'edit':
      return (await queue.redrive.edit({ group: ANSWER, key, event: await at(deed.place) }, cure, act)).status
    case 'discard':
      return (await queue.redrive.discard({ group: ANSWER, key, event: await at(deed.place) }, act)).status
  }
}

function onPaper() {
  type Event = { n: number; isPoison: boolean; isCured?: boolean }
  const paper = { appended: 0, unread: [] as Event[], queue: [] as Event[], seen: [] as number[], apply }
  return paper

  function apply(deed: Deed): string {
    const { unread, queue, seen } = paper
    switch (deed.do) {
      case 'append':
        unread.push({ n: paper.appended++, isPoison: deed.isPoison })
        return 'done'
      case 'turn':
        for (const event of unread.splice(0)) {
          if (queue.length > 0 || event.isPoison) queue.push(event)
          else seen.push(event.n)
        }
        return 'done'
      case 'retry':
        if (queue.length === 0) return 'not_parked'
        while (queue[0] && !queue[0].isPoison) seen.push(queue.shift()?.n ?? -1)
        return 'done'
      case 'edit': {
        const event = queue[deed.place]
        if (!event) return 'not_parked'
        if (event.isCured) return 'refused'
        Object.assign(event, { isPoison: false, isCured: true })
        return 'done'
      }
      case 'discard':
        return queue.splice(deed.place, 1).length > 0 ? 'done' : 'not_parked'
    }
  }
}

test('acts that race batches and retries of two processes keep the order, lose nothing and do nothing twice', async (t) => {
  const queue = await openQueue(t)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(deed, { minLength: 2, maxLength: 4 }), { maxLength: 5 }), async (rounds) => {
      const key = `race ${++lives}`
      const [one, two] = [await queue.join('one'), await queue.join('two')]
      let n = 0
      const done = { edit: 0, discard: 0 }
      for (const round of rounds) {
        for (const { isPoison } of round.flatMap((each) => (each.do === 'append' ? [each] : [])))
          await queue.append(key, n++, isPoison)
        const acts = round.filter((each) => each.do !== 'append')
        const told = await Promise.all([
          ...acts.map((each) => doIt(queue, one, key, each, n)),
          // What one gives back of its share, two takes: in some of the lives that is the key's own partition.
          ...[one, two].flatMap((turns) => [turns.take(3), turns.retry(), turns.tick()]),
        ])
        for (const [place, each] of acts.entries()) {
          if ((each.do === 'edit' || each.do === 'discard') && told[place] === 'done') done[each.do]++
        }
      }
      await one.leaves()
      await two.tick()
      await two.take(5)
      const [seen, parked] = [await queue.seen(key), (await queue.parked(key)).map((event) => event.n)]
      const facts = await queue.facts(key)
      const of = (type: string) => facts.filter((fact) => fact.type === type)
      assert.deepEqual(
        [...seen, ...parked],
        [...seen, ...parked].toSorted((a, b) => a - b),
        'in order',
      )
      assert.equal(new Set([...seen, ...parked]).size, seen.length + parked.length, 'nothing twice')
      assert.equal(seen.length + parked.length + done.discard, n, 'nothing lost')
      assert.equal(of('log.parked_event_edited').length, done.edit)
      assert.equal(of('log.parked_event_discarded').length, done.discard)
      assert.equal(await queue.isParked(key), parked.length > 0)
      await two.leaves()
    }),
    { numRuns: 20 },
  )
})
