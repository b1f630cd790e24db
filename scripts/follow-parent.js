// Loaded into the pinned runtime by runtime.js: when the launcher is killed, its child goes the same way.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.channel?.unref()
