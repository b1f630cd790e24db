/** A planted bug: a patch to a file that is shipped. `find` is there exactly once. */
export type Mutant = { readonly name: string; readonly file: string; readonly find: string; readonly replace: string }

/** What the auditor must find, or its silence says nothing. */
export const mutants: readonly Mutant[] = [
  {
    name: 'acknowledged before the append',
    file: 'src/log/door.ts',
    find: '    const appended = await database.transaction(lockTimeoutMs',
    replace:
      '    for (const waiting of group) waiting.done()\n    const appended = await database.transaction(lockTimeoutMs',
  },
  {
    name: 'a webhook is taken for delivered that was not sent',
    file: 'src/webhooks/call.ts',
    find: '    const answer = await exchange(callee, delivery, message)',
    replace: `    const answer = message.sequence % 50 === 0
      ? { status: 204, headers: {}, body: '' }
      : await exchange(callee, delivery, message)`,
  },
  {
    name: 'another process makes a call under another idempotency key',
    file: 'src/gateways/simulated/client.ts',
    find: "'idempotency-key': operationId }",
    replace: "'idempotency-key': operationId + '/' + process.pid }",
  },
]
