// SPDX-License-Identifier: Apache-2.0
// shapes.cpp - the second unit of words.cpp
#include "shapes.h"

#include <memory>
#include <string>
#include <vector>

namespace shapes
{
namespace
{
class Circle : public Shape
{
      public:
	explicit Circle(double r) : r_(r) {}
	double area() const override
	{
		return 3.14159 * Power<2>::of(r_);
	}

      private:
	double r_;
};

class Cube : public Shape
{
      public:
	explicit Cube(double a) : a_(a), name_("cube") {}
	double area() const override
	{
		struct Side {
			double a;
			double square() const
			{
				return Power<2>::of(a) + 0.5;
			}
		};
		return 6 * Side{a_}.square() + (double)name_.size();
	}

      private:
	double a_;
	std::string name_;
};
} // namespace

double total(int seed)
{
	std::vector<std::unique_ptr<Shape>> all;
	double sum = 0;

	for (int i = 0; i < 100; i++)
		if ((i + seed) % 2)
			all.emplace_back(new Circle(clamp(i, 1, 50)));
		else
			all.emplace_back(new Cube(Power<5>::of(i * 0.01)));
	for (const auto &shape : all)
		sum += shape->area();
	return sum;
}
} // namespace shapes
