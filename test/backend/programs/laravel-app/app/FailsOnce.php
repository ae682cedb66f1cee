<?php

namespace App;

use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Broadcasting\ShouldBroadcastNow;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Foundation\Bus\Dispatchable;
use Illuminate\Queue\InteractsWithQueue;
use RuntimeException;

/** A job that broadcasts twice, and dies before its end the first time. */
class FailsOnce implements ShouldQueue
{
    use Dispatchable, InteractsWithQueue, Queueable;

    public $tries = 2;

    public function handle(): void
    {
        foreach (['same', 'same'] as $text) {
            broadcast(new Fixed($text));
        }
        broadcast(new Fixed("attempt {$this->attempts()}"));
        if ($this->attempts() === 1) {
            throw new RuntimeException('The worker dies here.');
        }
    }
}

class Fixed implements ShouldBroadcastNow
{
    public function __construct(public string $text) {}

    public function broadcastOn()
    {
        return ['room'];
    }

    public function broadcastAs()
    {
        return 'fixed';
    }
}
