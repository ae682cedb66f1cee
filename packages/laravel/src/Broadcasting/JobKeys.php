<?php

namespace Fanfare\Laravel\Broadcasting;

use Illuminate\Broadcasting\BroadcastEvent;
use Illuminate\Contracts\Queue\Job;

/**
 * Idempotency keys of what a queued job broadcasts. A job that is tried again, because its worker died or the answer was lost, makes the
 * same keys in the same order, so that what the server has already is not published a second time.
 */
final class JobKeys
{
    /** @var array<int, array{id: string, isBroadcast: bool, made: array<string, int>}> A job may run another one, on the queue `sync`. */
    private array $running = [];

    public function enter(Job $job): void
    {
        $class = $job->payload()['data']['commandName'] ?? '';
        $this->running[] = ['id' => (string) $job->uuid(), 'isBroadcast' => is_a($class, BroadcastEvent::class, true), 'made' => []];
    }

    public function leave(Job $job): void
    {
        while ($this->running !== [] && array_pop($this->running)['id'] !== (string) $job->uuid()) {
            // One inside of it that never said its end.
        }
    }

    /** Null outside of jobs. */
    public function next(array $channels, string $event, string $data): ?string
    {
        $at = array_key_last($this->running);
        if ($at === null || $this->running[$at]['id'] === '') {
            return null;
        }
        // The job of one event says the same each time, even where its data tell the time. Any other one may do something else.
        $what = $this->running[$at]['isBroadcast'] ? '' : hash('sha256', serialize([$channels, $event, $data]));
        $number = $this->running[$at]['made'][$what] = ($this->running[$at]['made'][$what] ?? 0) + 1;

        return hash('sha256', "{$this->running[$at]['id']}:{$what}:{$number}");
    }
}
