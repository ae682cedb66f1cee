<?php

use Illuminate\Support\Facades\Broadcast;

Broadcast::channel('orders.{id}', fn ($user, $id) => (int) $user->id === (int) $id);
Broadcast::channel('encrypted.{id}', fn ($user, $id) => true);
Broadcast::channel('lobby', fn ($user) => ['name' => $user->name]);
Broadcast::channel('staff', fn ($user) => true, ['guards' => ['admin']]);
