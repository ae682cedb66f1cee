<?php

namespace App;

use Illuminate\Broadcasting\InteractsWithSockets;
use Illuminate\Contracts\Broadcasting\ShouldBroadcast;
use Illuminate\Foundation\Events\Dispatchable;

/** An event of the application. Through a queue it is a job; `$via` are the broadcasting connections. */
class Said implements ShouldBroadcast
{
    use Dispatchable, InteractsWithSockets;

    public $tries = 2;

    public function __construct(public string $text, private array $channels, private array $via = []) {}

    public function broadcastOn()
    {
        return $this->channels;
    }

    public function broadcastWith()
    {
        // Different at each attempt, as the time of day is.
        return ['text' => $this->text, 'at' => hrtime(true)];
    }

    public function broadcastConnections()
    {
        return $this->via ?: [null];
    }
}
