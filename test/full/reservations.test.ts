import assert from 'node:assert/strict'
import { test } from 'node:test'
import { budgetLeft, COST, openBudget, openSpenders } from '#harness/spender'

// A decider of another module reserves and posts through the ledger's port, in the middle of its own transaction. No
// statement of it may be the last that was run without the money being moved twice, or held for nobody: its process dies, or
// loses its connections, after each, and another finishes.
for (const kind of ['die', 'cut'] as const) {
  test(`a decider that is interrupted after any of its statements moves the money once (${kind})`, async (t) => {
    const { app, port } = await openBudget(t, 1_000n)
    const spenders = await openSpenders(t, app, port)
    let jobs = 0
    while (await spenders.interrupted(`job-${++jobs}`, { kind, at: jobs })) {
      assert.equal(await spenders.outcomeOf(`job-${jobs}`), 'done')
    }
    assert.ok(jobs > 5, `${jobs - 1} interruptions only`)
    assert.deepEqual(await budgetLeft(app), { posted: `${BigInt(jobs) * COST - 1_000n}`, held: '0' })
    const [entries] = await app.rows("select count(*)::int as n from ledger.entry where source like 'entry/toy/%'")
    assert.deepEqual(entries, { n: jobs })
  })
}
