import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GatewayAccount } from '#gateways'
import { createAppDatabase, openApp } from '#harness/app'
import { dieAtWork } from '#harness/die-at-work'
import { createPuppet, type FaultKind } from '#harness/faults'
import { openGateway } from '#harness/gateway'
import { until } from '#harness/until'

// A 2xx is sent only after the log has it. Whoever was answered is paid, whatever dies at whichever statement: first the
// door, then the loops behind it. The whole database dying under load is incidents 1 and 26.

type Ending = { after(work: () => Promise<void>): void }

test('the door dies or is cut off at each statement: what it acknowledged is processed, and a retry settles the rest', async (t) => {
  const { url } = await createAppDatabase(t)
  const gateway = await openGateway(t)
  const accounts = [gateway.account]
  const answered: string[] = []
  const names: string[] = []
  for (const kind of ['cut', 'die'] as const) {
    // The first one that is answered had its fault past the last statement: the sweep has covered them all.
    for (let at = 1; !answered.includes(kind); at++) {
      const name = `${kind}${at}`
      names.push(name)
      if (await payAtFault(t, { url, accounts, kind, at, name })) answered.push(name, kind)
    }
  }
  assert.ok(names.length >= 8, `${names.length} faults`)

  const app = await openApp(t, { url, accounts })
  gateway.reportTo(app)
  await app.start()
  await app.settle()
  const paid = async (): Promise<Set<string>> => {
    const rows = await app.rows<{ id: string }>(`select id from payments.payment where status = 'captured'`)
    return new Set(rows.map(({ id }) => id))
  }
  const processed = await paid()
  for (const name of names.filter((asked) => answered.includes(asked)))
    assert.ok(processed.has((await app.pay({ key: name })).id), name)

  const retried = await Promise.all(names.map((name) => app.pay({ key: name })))
  await app.settle()
  const captured = await paid()
  assert.deepEqual(
    retried.filter(({ id }) => !captured.has(id)),
    [],
  )
  for (const { id } of retried) assert.equal(gateway.intentsOf(id).length, 1)
})

test('a process dies at every third statement of its work: all that was accepted is posted, once', (t) =>
  dieAtWork(t, 3))

type DoorFault = { url: string; accounts: readonly GatewayAccount[]; kind: FaultKind; at: number; name: string }

/** Whether the client was answered. */
async function payAtFault(t: Ending, { url, accounts, kind, at, name }: DoorFault): Promise<boolean> {
  const puppet = createPuppet({ url, name: `door_${name}` })
  const app = await openApp(t, { url, databases: { door: puppet.database }, accounts })
  puppet.arm({ at, kind })
  const answer = app.pay({ key: name }).then(
    () => true,
    () => false,
  )
  let isAnswered: boolean | undefined
  void answer.then((value) => {
    isAnswered = value
  })
  await until('it is answered or dead', () => isAnswered !== undefined || puppet.isDead())
  if (puppet.isDead()) app.abandon()
  else t.after(() => puppet.close())
  return isAnswered ?? false
}
