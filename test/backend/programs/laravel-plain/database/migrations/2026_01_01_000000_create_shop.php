<?php

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\Schema;

return new class extends Migration {
    public function up(): void
    {
        Schema::create('users', function (Blueprint $table) {
            $table->id();
            $table->string('name')->unique();
            $table->string('password');
            $table->string('title')->nullable();
            $table->rememberToken();
        });
        Schema::create('orders', fn (Blueprint $table) => $table->string('id')->primary());
        Schema::create('asked', function (Blueprint $table) {
            $table->string('hook');
            $table->string('user')->nullable();
        });
    }
};
