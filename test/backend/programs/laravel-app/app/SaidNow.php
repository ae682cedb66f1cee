<?php

namespace App;

use Illuminate\Contracts\Broadcasting\ShouldBroadcastNow;

class SaidNow extends Said implements ShouldBroadcastNow {}
